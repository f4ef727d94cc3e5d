// Licensed under the Apache License, Version 2.0 (the "License");
// you may not use this file except in compliance with the License.
// You may obtain a copy of the License at
//
//     http://www.apache.org/licenses/LICENSE-2.0
//
// Unless required by applicable law or agreed to in writing, software
// distributed under the License is distributed on an "AS IS" BASIS,
// WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
// See the License for the specific language governing permissions and
// limitations under the License.

package cli

import (
	"strings"
	"unicode/utf8"

	"github.com/bulkhead-dev/bulkhead/internal/redact"
)

const (
	// gap is between two columns, in characters.
	gap = 2
	// minColumn is how narrow a column may become, in characters.
	minColumn = 16
	// firstPrice is how many times worse a new line is in the first column, which has what is looked for.
	firstPrice = 2
	// spacePrice, breakPrice and cutPrice are how bad a new line is between words, where a word may be broken, and elsewhere.
	spacePrice, breakPrice, cutPrice = 2, 3, 6
	// maxWrapped bounds what is printed of one thing in a table whose cells have several lines, in characters.
	maxWrapped = 2048
)

// wrap makes lines of rows in columns that fit a width, in characters: what is too long goes on in the next line, and
// nothing in the first column shows that it does. What can't be seen is shown as "?", as in any table.
func wrap(rows [][]string, width int) []string {
	clean := make([][]string, 0, len(rows))
	var columns []cellCounts
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			if cell == "" {
				cell = "-"
			}
			cells[i] = redact.Name(cell, maxWrapped)
			if utf8.RuneCountInString(cell) > maxWrapped {
				cells[i] += "…"
			}
			if i == len(columns) {
				columns = append(columns, cellCounts{})
			}
			columns[i][cells[i]]++
		}
		clean = append(clean, cells)
	}
	widths := fit(columns, width-gap*(len(columns)-1))
	var lines []string
	for _, cells := range clean {
		lines = append(lines, wrapRow(cells, widths)...)
	}
	return lines
}

// cellCounts counts the cells of a column by their text.
type cellCounts map[string]int

// price is how bad it is to print the cells at a width: each new line costs, and more if a word is broken for it.
func (c cellCounts) price(width int) int {
	sum := 0
	for cell, count := range c {
		if len(cell) <= width {
			continue
		}
		rest := []rune(cell)
		for len(rest) > width {
			end, price := lineEnd(rest, width)
			rest, sum = afterSpaces(rest[end:]), sum+price*count
		}
	}
	return sum
}

// width is how wide a column is if it has all the room that it wants.
func (c cellCounts) width() int {
	width := 0
	for cell := range c {
		width = max(width, utf8.RuneCountInString(cell))
	}
	return width
}

// fit chooses the widths of columns, so that all of them have room and the price is the least. If there is no room for
// them, they are as narrow as they may be.
func fit(columns []cellCounts, room int) []int {
	room = max(room, 0)
	widths := make([]int, len(columns))
	total, least := 0, 0
	for i, column := range columns {
		widths[i] = column.width()
		total += widths[i]
		least += min(widths[i], minColumn)
	}
	if total <= room {
		return widths
	}
	if least > room {
		for i := range widths {
			widths[i] = min(widths[i], minColumn)
		}
		return widths
	}
	// prices[r] is the least for the columns up to now in r characters, and chosen[i][r] the width that column i has then.
	prices := make([]int, room+1)
	chosen := make([][]int, len(columns))
	for i, column := range columns {
		prices, chosen[i] = column.add(prices, i == 0, widths[i])
	}
	for i, rest := len(columns)-1, room; i >= 0; i-- {
		widths[i] = chosen[i][rest]
		rest -= widths[i]
	}
	return widths
}

// impossible is a price that none is as high as.
const impossible = 1 << 40

// add gives the prices of some columns and this one, by the room that there is for all of them, and the width of this one.
func (c cellCounts) add(before []int, first bool, natural int) (prices, chosen []int) {
	room := len(before) - 1
	prices, chosen = make([]int, room+1), make([]int, room+1)
	for rest := range prices {
		prices[rest] = impossible
	}
	for width := min(natural, minColumn); width <= min(natural, room); width++ {
		price := c.price(width)
		if first {
			price *= firstPrice
		}
		for rest := width; rest <= room; rest++ {
			if sum := before[rest-width] + price; sum <= prices[rest] { // of the same price, the wider
				prices[rest], chosen[rest] = sum, width
			}
		}
	}
	return prices, chosen
}

// wrapRow makes the lines of one row.
func wrapRow(cells []string, widths []int) []string {
	columns := make([][]string, len(cells))
	height := 0
	for i, cell := range cells {
		columns[i] = wrapCell(cell, widths[i])
		height = max(height, len(columns[i]))
	}
	lines := make([]string, 0, height)
	for n := range height {
		var line strings.Builder
		for i, column := range columns {
			text := ""
			if n < len(column) {
				text = column[n]
			}
			line.WriteString(text + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text)+gap))
		}
		lines = append(lines, strings.TrimRight(line.String(), " "))
	}
	return lines
}

// breaks are the characters after which a word may be broken.
const breaks = ",:/.-]}"

// lineEnd is how much of a text goes into a line, up to a space, or else up to where a word may be broken, and how bad
// that is.
func lineEnd(text []rune, width int) (end, price int) {
	for at := width; at > width/2; at-- {
		if text[at] == ' ' {
			return at, spacePrice
		}
	}
	for at := width; at > width/2; at-- {
		if strings.ContainsRune(breaks, text[at-1]) {
			return at, breakPrice
		}
	}
	return width, cutPrice
}

// afterSpaces is a text without the spaces that it begins with.
func afterSpaces(text []rune) []rune {
	for len(text) > 0 && text[0] == ' ' {
		text = text[1:]
	}
	return text
}

// wrapCell makes lines of a text, of at most width characters, which end with a word if the second half of the line has one.
func wrapCell(text string, width int) []string {
	var lines []string
	rest := []rune(text)
	for len(rest) > width {
		end, _ := lineEnd(rest, width)
		lines = append(lines, strings.TrimRight(string(rest[:end]), " "))
		rest = afterSpaces(rest[end:])
	}
	if len(rest) > 0 || len(lines) == 0 {
		lines = append(lines, string(rest))
	}
	return lines
}

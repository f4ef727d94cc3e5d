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

package mutation

import (
	"fmt"
	"math/big"

	"k8s.io/apimachinery/pkg/api/resource"
)

// amount is the value of a quantity, however it is spelled. It isn't ok if it is none.
func amount(value any) (*big.Rat, bool) {
	q, err := resource.ParseQuantity(fmt.Sprint(value))
	if err != nil {
		return nil, false
	}
	return new(big.Rat).SetString(q.AsDec().String())
}

// otherQuantities are a little more, twice as much, one less and nothing: whatever of that is another amount.
func otherQuantities(present any) []any {
	if present == nil {
		return []any{"3"}
	}
	had, ok := amount(present)
	if !ok {
		return []any{"3"}
	}
	var all []any
	for _, change := range []func(*big.Rat) *big.Rat{
		func(r *big.Rat) *big.Rat { return r.Add(r, big.NewRat(1, 1)) },
		func(r *big.Rat) *big.Rat { return r.Add(r, r) },
		func(r *big.Rat) *big.Rat { return r.Sub(r, big.NewRat(1, 1)) },
		func(r *big.Rat) *big.Rat { return r.Add(r, big.NewRat(1, 10000)) },
		func(r *big.Rat) *big.Rat { return r.SetInt64(0) },
	} {
		other := change(new(big.Rat).Set(had))
		if other.Cmp(had) != 0 && other.Sign() >= 0 {
			all = append(all, decimal(other))
		}
	}
	return all
}

// respelled are other spellings of the same amount.
func respelled(present any) []any {
	had, ok := amount(present)
	if !ok {
		return nil
	}
	milli := new(big.Rat).Mul(had, big.NewRat(1000, 1))
	all := []any{decimal(had) + ".0", decimal(milli) + "e-3"}
	if milli.IsInt() {
		all = append(all, milli.Num().String()+"m")
	}
	if !had.IsInt() {
		all[0] = decimal(had) + "0"
	}
	for _, unit := range []struct {
		suffix string
		size   int64
	}{{"k", 1e3}, {"Ki", 1 << 10}, {"Mi", 1 << 20}} {
		if in := new(big.Rat).Quo(had, big.NewRat(unit.size, 1)); in.IsInt() && in.Sign() > 0 {
			all = append(all, in.Num().String()+unit.suffix)
		}
	}
	var others []any
	for _, spelling := range all {
		if spelling != present {
			others = append(others, spelling)
		}
	}
	return others
}

// decimal writes a number that has finitely many digits.
func decimal(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	text := r.FloatString(20)
	for text[len(text)-1] == '0' {
		text = text[:len(text)-1]
	}
	return text
}

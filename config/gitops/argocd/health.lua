-- The health of a Tenant of Bulkhead (kstatus-compatible), for Argo CD. docs/gitops.md says what each state shows.
-- Argo CD runs a script from argocd-cm with Lua's base and table functions only, so there is no string library here.
local metadata, status = obj.metadata or {}, obj.status or {}

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end

local function is(name, value)
  return conditions[name] ~= nil and conditions[name].status == value
end

local function says(name)
  local condition = conditions[name]
  local text = name .. "=" .. condition.status .. " " .. (condition.reason or "")
  if condition.message ~= nil and condition.message ~= "" then
    text = text .. ": " .. condition.message
  end
  return text
end

-- Argo CD says so by itself and doesn't run the script then; other tools that run it may not.
if metadata.deletionTimestamp ~= nil then
  return {status = "Progressing", message = conditions["Ready"] and says("Ready") or "Pending deletion"}
end

-- A status that speaks of another spec says nothing of this one. -1 is the default: nobody has looked yet.
local seen = status.observedGeneration
if seen == nil or seen < 0 then
  return {status = "Progressing", message = "waiting for the operator to look at the Tenant for the first time"}
end
if seen ~= metadata.generation then
  return {status = "Progressing", message = "waiting for the operator to look at generation " .. tostring(metadata.generation)
    .. ", the status speaks of " .. tostring(seen)}
end

-- What somebody must act on. A wall that the spec itself turns off (OpenBySpec) is a choice, not a fault.
local faults = {}
if is("Stalled", "True") then
  table.insert(faults, says("Stalled"))
end
if is("Isolated", "False") and conditions["Isolated"].reason ~= "OpenBySpec" then
  table.insert(faults, says("Isolated"))
end
if #faults > 0 then
  return {status = "Degraded", message = table.concat(faults, "; ")}
end

if is("Reconciling", "True") then
  return {status = "Progressing", message = says("Reconciling")}
end
if not is("Ready", "True") then
  return {status = "Progressing", message = conditions["Ready"] and says("Ready") or "waiting for the condition Ready"}
end

-- Healthy, also in drift mode Observe: Suspended would hold up a sync wave until somebody switches to Enforce.
local notes = {says("Ready")}
if is("InSync", "False") or is("InSync", "Unknown") then
  table.insert(notes, says("InSync"))
end
if is("Isolated", "False") or is("Isolated", "Unknown") then
  table.insert(notes, says("Isolated"))
end
return {status = "Healthy", message = table.concat(notes, "; ")}

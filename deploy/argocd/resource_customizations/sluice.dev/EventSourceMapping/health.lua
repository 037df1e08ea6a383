-- EventSourceMapping follows kstatus: status.observedGeneration begins at -1, Reconciling and Stalled are present only
-- while True, and Ready says that the desired configuration is in force. It says nothing about the consumer, so that a
-- mapping may be applied before it: a failing target is told in the message and leaves the mapping Healthy.

local metadata = obj.metadata or {}
local status = obj.status or {}
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  if condition.type ~= nil then
    conditions[condition.type] = condition
  end
end

local function is(name, value)
  return conditions[name] ~= nil and conditions[name].status == value
end

local function describe(name)
  local condition = conditions[name]
  return (condition.reason or name) .. ": " .. (condition.message or "")
end

if metadata.deletionTimestamp ~= nil then
  local message = "Deleting"
  if is("Reconciling", "True") then
    message = describe("Reconciling")
  end
  return { status = "Progressing", message = message }
end

local observed = status.observedGeneration
if observed == nil or observed == -1 then
  return { status = "Progressing", message = "Not yet seen by Sluice's controller" }
end
if metadata.generation ~= nil and metadata.generation ~= observed then
  return { status = "Progressing", message = "The last edit is not yet seen by Sluice's controller" }
end

if is("Stalled", "True") then
  return { status = "Degraded", message = describe("Stalled") }
end
if is("Paused", "True") then
  return { status = "Suspended", message = describe("Paused") }
end
if is("Reconciling", "True") then
  return { status = "Progressing", message = describe("Reconciling") }
end

if is("Ready", "True") then
  -- Also with `enabled: false`, which is what Git asks for: Suspended would hold up every later sync wave.
  local message = describe("Ready")
  local troubles = { SourceHealthy = "False", TargetHealthy = "False", Drifted = "True", Blocked = "True" }
  for _, name in ipairs({ "SourceHealthy", "TargetHealthy", "Drifted", "Blocked" }) do
    if is(name, troubles[name]) then
      message = message .. "; " .. describe(name)
    end
  end
  return { status = "Healthy", message = message }
end

if conditions.Ready ~= nil then
  return { status = "Progressing", message = describe("Ready") }
end
return { status = "Progressing", message = "Its readiness is not known yet" }

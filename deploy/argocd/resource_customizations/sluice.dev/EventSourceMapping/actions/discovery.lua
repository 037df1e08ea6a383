-- The brake is an annotation, so that Git has nothing to undo. As Sluice reads it: nothing, an empty value and "false"
-- let go, "reconcile" keeps Sluice from changing anything, and every other value also stops the delivery.

local metadata = obj.metadata or {}
local value = (metadata.annotations or {})["sluice.dev/paused"]
local paused = value ~= nil and value ~= "" and value ~= "false"
local stopped = paused and value ~= "reconcile"
local deleting = metadata.deletionTimestamp ~= nil

return {
  ["pause"] = {
    ["disabled"] = paused or deleting,
    ["iconClass"] = "fa fa-fw fa-pause-circle",
    ["displayName"] = "Pause: change nothing"
  },
  ["pause-delivery"] = {
    ["disabled"] = stopped or deleting,
    ["iconClass"] = "fa fa-fw fa-stop-circle",
    ["displayName"] = "Pause: take no record"
  },
  ["resume"] = {
    ["disabled"] = not paused,
    ["iconClass"] = "fa fa-fw fa-play-circle",
    ["displayName"] = "Resume"
  },
  ["reconcile"] = {
    ["disabled"] = paused,
    ["iconClass"] = "fa fa-fw fa-sync",
    ["displayName"] = "Reconcile now"
  }
}

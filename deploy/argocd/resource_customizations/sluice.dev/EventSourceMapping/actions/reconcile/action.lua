-- Asks for one pass. The value is echoed in status.lastHandledReconcileAt when the pass is done.
local os = require("os")
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["sluice.dev/requestedAt"] = os.date("!%Y-%m-%dT%XZ")
return obj

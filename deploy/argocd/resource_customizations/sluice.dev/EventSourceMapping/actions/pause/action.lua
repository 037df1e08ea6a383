-- Sluice changes nothing any more; records still flow.
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["sluice.dev/paused"] = "reconcile"
return obj

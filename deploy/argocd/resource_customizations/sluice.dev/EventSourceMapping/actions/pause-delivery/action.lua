-- No record is taken any more, and nothing is changed.
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["sluice.dev/paused"] = "delivery"
return obj

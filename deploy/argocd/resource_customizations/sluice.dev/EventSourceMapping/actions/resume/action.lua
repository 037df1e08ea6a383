-- Lets the brake go, whichever it is.
if obj.metadata.annotations ~= nil then
  obj.metadata.annotations["sluice.dev/paused"] = nil
end
return obj

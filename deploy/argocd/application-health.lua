-- Argo CD gives an Application no health when it is itself part of an Application, so the waves of an app of apps would
-- not wait for each other. With this it has the health that it shows.
local health = (obj.status or {}).health or {}
return { status = health.status or "Progressing", message = health.message or "" }

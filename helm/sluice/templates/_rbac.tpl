{{- /* What controller and pollers may do, and no more: a test runs both with these rights and finds neither a refusal nor a rule that is never used. */ -}}

{{- /* On what belongs to tenants: in the whole cluster, or in one of `watchNamespaces`. */ -}}
{{- define "sluice.tenantRules" -}}
- apiGroups: [sluice.dev]
  resources: [eventsourcemappings]
  verbs: [list, watch]
{{- if eq .component "controller" }}
# The finalizer alone; `spec` is never written.
- apiGroups: [sluice.dev]
  resources: [eventsourcemappings]
  verbs: [patch]
- apiGroups: [sluice.dev]
  resources: [eventsourcemappings/status]
  verbs: [patch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- else }}
# Where the consumers are. A poller writes nothing outside its own namespace.
- apiGroups: [""]
  resources: [services]
  verbs: [list, watch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
{{- end }}
{{- end -}}

{{- /* On what is not in a namespace. */ -}}
{{- define "sluice.clusterRules" -}}
- apiGroups: [sluice.dev]
  resources: [mappingclasses]
  verbs: [list, watch]
# Labels, for the namespaceSelector of a class.
- apiGroups: [""]
  resources: [namespaces]
  verbs: [list, watch]
{{- end -}}

{{- /* In the namespace of the release: leader election, who is alive, and what they report. */ -}}
{{- define "sluice.ownRules" -}}
{{- if eq .component "controller" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [list, watch, create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [sluice-controller]
  verbs: [get, update]
- apiGroups: [sluice.dev]
  resources: [pollerreports]
  verbs: [list, watch]
{{- else -}}
# Names of Leases and reports are those of pods, which are not known beforehand.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, list, watch, create, update, delete]
- apiGroups: [sluice.dev]
  resources: [pollerreports]
  verbs: [get, create, patch, delete]
{{- end -}}
{{- end -}}

{{- define "sluice.subjects" -}}
{{- range .accounts }}
- kind: ServiceAccount
  name: {{ . | quote }}
  namespace: {{ $.root.Release.Namespace | quote }}
{{- end }}
{{- end -}}

{{- /* Names, labels, and the list of components that all other templates go through. */ -}}

{{- define "sluice.name" -}}
{{- default .Chart.Name .Values.nameOverride -}}
{{- end -}}

{{- /* At most 61 characters: a release has at most 53. */ -}}
{{- define "sluice.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains "sluice" .Release.Name -}}
{{- .Release.Name -}}
{{- else -}}
{{- printf "%s-sluice" .Release.Name -}}
{{- end -}}
{{- end -}}

{{- /* Names of what is not in the namespace of the release: no other release has them, since no namespace has a colon. */ -}}
{{- define "sluice.outerName" -}}
{{- printf "%s:%s" .Release.Namespace (include "sluice.fullname" .) -}}
{{- end -}}

{{- define "sluice.identityLabels" -}}
app.kubernetes.io/name: {{ include "sluice.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- /* Labels of every object. The user's never replace those of the chart, which selectors rely on. */ -}}
{{- define "sluice.labels" -}}
{{- $own := include "sluice.identityLabels" . | fromYaml -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_") -}}
{{- $_ := set $own "app.kubernetes.io/version" .Chart.AppVersion -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" .Release.Service -}}
{{- $_ := set $own "app.kubernetes.io/part-of" "sluice" -}}
{{- include "sluice.merge" (list .Values.commonLabels $own) | fromJson | toYaml -}}
{{- end -}}

{{- /* Labels by which the pods of a component are found. They never change, since selectors cannot. */ -}}
{{- define "sluice.selectorLabels" -}}
{{- include "sluice.identityLabels" .root }}
app.kubernetes.io/component: {{ .component.component }}
{{- if .component.pool }}
sluice.dev/pool: {{ .component.pool | quote }}
{{- end }}
{{- end -}}

{{- /* Labels of the objects of a component. */ -}}
{{- define "sluice.componentLabels" -}}
{{- $selector := include "sluice.selectorLabels" . | fromYaml -}}
{{- include "sluice.merge" (list (include "sluice.labels" .root | fromYaml) $selector) | fromJson | toYaml -}}
{{- end -}}

{{- define "sluice.podLabels" -}}
{{- $user := include "sluice.merge" (list .root.Values.commonLabels .component.values.podLabels) | fromJson -}}
{{- $own := include "sluice.selectorLabels" . | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/version" .root.Chart.AppVersion -}}
{{- $_ := set $own "app.kubernetes.io/part-of" "sluice" -}}
{{- include "sluice.merge" (list $user $own) | fromJson | toYaml -}}
{{- end -}}

{{- /* The second map over the first, member by member; unlike Sprig's, also with false, zero and the empty text. */ -}}
{{- define "sluice.merge" -}}
{{- $merged := deepCopy (index . 0) -}}
{{- range $key, $value := index . 1 -}}
{{- $below := get $merged $key -}}
{{- if and (kindIs "map" $value) (kindIs "map" $below) -}}
{{- $_ := set $merged $key (include "sluice.merge" (list $below $value) | fromJson) -}}
{{- else -}}
{{- $_ := set $merged $key $value -}}
{{- end -}}
{{- end -}}
{{- toJson $merged -}}
{{- end -}}

{{- /* Controller and pools as a list: component, pool, name, serviceAccount, path and values of each. */ -}}
{{- define "sluice.components" -}}
{{- $root := . -}}
{{- $list := list -}}
{{- if .Values.controller.enabled -}}
{{- $list = append $list (dict "component" "controller" "pool" "" "path" "controller" "values" .Values.controller) -}}
{{- end -}}
{{- range $pool, $own := .Values.pools -}}
{{- $values := include "sluice.merge" (list $root.Values.poller (default dict $own)) | fromJson -}}
{{- $list = append $list (dict "component" "poller" "pool" $pool "path" (printf "pools.%s" $pool) "values" $values) -}}
{{- end -}}
{{- range $list -}}
{{- $name := printf "%s-%s" (include "sluice.fullname" $root) .component -}}
{{- if .pool -}}{{- $name = printf "%s-%s" $name .pool -}}{{- end -}}
{{- $account := .values.serviceAccount -}}
{{- $_ := set . "name" $name -}}
{{- $_ := set . "serviceAccount" (default (ternary $name "default" $account.create) $account.name) -}}
{{- end -}}
{{- toJson $list -}}
{{- end -}}

{{- define "sluice.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{- /* The classes as documents, for a file. */ -}}
{{- define "sluice.classes" -}}
{{- range $name, $class := .Values.classes }}
---
apiVersion: sluice.dev/v1alpha1
kind: MappingClass
metadata:
  name: {{ $name | quote }}
  {{- if $class.default }}
  annotations:
    sluice.dev/is-default-class: "true"
  {{- end }}
spec:
  {{- toYaml (default dict $class.spec) | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Is a monitor made? Empty, or `true`. */ -}}
{{- define "sluice.monitored" -}}
{{- $monitor := .monitor -}}
{{- if $monitor.enabled -}}
{{- $known := .root.Capabilities.APIVersions.Has "monitoring.coreos.com/v1" -}}
{{- if or $known (eq $monitor.renderMode "alwaysRender") -}}
true
{{- else if eq $monitor.renderMode "failIfMissing" -}}
{{- fail (printf "\n`%s.enabled` must be false, or the CRDs of the Prometheus Operator installed: this cluster does not know monitoring.coreos.com/v1" .path) -}}
{{- end -}}
{{- end -}}
{{- end -}}

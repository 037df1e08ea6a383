{{- define "sluice-crds.labels" -}}
{{- $own := dict "app.kubernetes.io/name" "sluice" "app.kubernetes.io/part-of" "sluice" "app.kubernetes.io/instance" .Release.Name "app.kubernetes.io/managed-by" .Release.Service "app.kubernetes.io/version" .Chart.AppVersion "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_") -}}
{{- merge $own .Values.commonLabels | toYaml -}}
{{- end -}}

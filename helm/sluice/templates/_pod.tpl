{{- /* The one Deployment: of the controller and of each pool. Flags and environment are those of `sluice --help`. */ -}}
{{- define "sluice.deployment" -}}
{{- $root := .root -}}
{{- $component := .component -}}
{{- $values := $component.values -}}
{{- $inNamespaces := eq $root.Values.scope "namespaces" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $component.name }}
  namespace: {{ $root.Release.Namespace | quote }}
  labels:
    {{- include "sluice.componentLabels" . | nindent 4 }}
spec:
  {{- if not $values.scaledExternally }}
  replicas: {{ int $values.replicas }}
  {{- end }}
  revisionHistoryLimit: {{ int $values.revisionHistoryLimit }}
  selector:
    matchLabels:
      {{- include "sluice.selectorLabels" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "sluice.podLabels" . | nindent 8 }}
      {{- if or $inNamespaces $values.podAnnotations }}
      annotations:
        {{- with $values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        {{- if $inNamespaces }}
        # The file of classes is read at the start only.
        checksum/classes: {{ include "sluice.classes" $root | sha256sum }}
        {{- end }}
      {{- end }}
    spec:
      serviceAccountName: {{ $component.serviceAccount | quote }}
      automountServiceAccountToken: true
      enableServiceLinks: false
      terminationGracePeriodSeconds: {{ include "sluice.grace" $component }}
      {{- with $values.priorityClassName }}
      priorityClassName: {{ . | quote }}
      {{- end }}
      {{- with $root.Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.podSecurityContext }}
      securityContext:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if or $values.spread $values.topologySpreadConstraints }}
      topologySpreadConstraints:
        {{- if $values.spread }}
        {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
        - topologyKey: {{ . }}
          maxSkew: 1
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "sluice.selectorLabels" $ | nindent 14 }}
          # Only pods of the same rollout are weighed.
          matchLabelKeys: [pod-template-hash]
        {{- end }}
        {{- end }}
        {{- with $values.topologySpreadConstraints }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
      containers:
        - name: {{ $component.component }}
          image: {{ include "sluice.image" $root | quote }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          args:
            {{- include "sluice.args" . | nindent 12 }}
          {{- with include "sluice.env" . | trim }}
          env:
            {{- . | nindent 12 }}
          {{- end }}
          ports:
            - name: metrics
              containerPort: 8080
          {{- range $probe, $path := dict "startup" "/healthz" "liveness" "/healthz" "readiness" "/readyz" }}
          {{- $times := get $values.probes $probe }}
          {{ $probe }}Probe:
            httpGet:
              path: {{ $path }}
              port: metrics
            periodSeconds: {{ int $times.periodSeconds }}
            timeoutSeconds: {{ int $times.timeoutSeconds }}
            failureThreshold: {{ int $times.failureThreshold }}
          {{- end }}
          {{- with $values.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- with $values.securityContext }}
          securityContext:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- if or $inNamespaces $values.extraVolumeMounts }}
          volumeMounts:
            {{- if $inNamespaces }}
            - name: classes
              mountPath: /etc/sluice
              readOnly: true
            {{- end }}
            {{- with $values.extraVolumeMounts }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          {{- end }}
      {{- if or $inNamespaces $values.extraVolumes }}
      volumes:
        {{- if $inNamespaces }}
        - name: classes
          configMap:
            name: {{ include "sluice.fullname" $root }}-classes
        {{- end }}
        {{- with $values.extraVolumes }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
{{- end -}}

{{- /* A poller ends its long polls and then what is in flight; the kubelet must not be faster. */ -}}
{{- define "sluice.grace" -}}
{{- if eq .component "controller" -}}
{{- int .values.terminationGracePeriodSeconds -}}
{{- else -}}
{{- add (int .values.graceSeconds) (int .values.drainReceiveSeconds) 10 -}}
{{- end -}}
{{- end -}}

{{- define "sluice.args" -}}
{{- $values := .component.values -}}
{{- $root := .root -}}
- {{ .component.component }}
- {{ printf "--cluster-id=%s" $root.Values.clusterID | quote }}
- --log-level={{ $root.Values.logLevel }}
{{- if eq $root.Values.scope "namespaces" }}
- --watch-namespaces={{ join "," $root.Values.watchNamespaces }}
- --classes-file=/etc/sluice/classes.yaml
{{- end }}
{{- if eq .component.component "controller" }}
- --workers={{ int $values.workers }}
- --drift-interval-seconds={{ int $values.driftIntervalSeconds }}
- --deletion-hold-percent={{ int $values.deletionHold.percent }}
- --deletion-hold-over={{ int $values.deletionHold.over }}
- --aws-requests-per-second={{ int $values.awsRequestsPerSecond }}
- --cloudwatch-metrics={{ $values.cloudWatchMetrics.enabled }}
- --cloudwatch-metrics-interval-seconds={{ int $values.cloudWatchMetrics.intervalSeconds }}
- --lease-duration-seconds={{ int $values.leaderElection.leaseDurationSeconds }}
- --renew-deadline-seconds={{ int $values.leaderElection.renewDeadlineSeconds }}
- --retry-period-seconds={{ int $values.leaderElection.retryPeriodSeconds }}
{{- else }}
- --pool={{ .component.pool }}
- --buffer-mib={{ int $values.bufferMib }}
- --concurrency={{ int $values.concurrency }}
- --grace-seconds={{ int $values.graceSeconds }}
- --drain-receive-seconds={{ int $values.drainReceiveSeconds }}
- --secret-refresh-seconds={{ int $values.secretRefreshSeconds }}
- --aws-client={{ $values.awsClient }}
{{- end }}
{{- range $values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end -}}

{{- define "sluice.env" -}}
{{- $values := .component.values -}}
{{- $root := .root -}}
{{- if eq .component.component "poller" }}
# Lease and report go with the pod.
- name: SLUICE_MEMBER
  valueFrom:
    fieldRef:
      apiVersion: v1
      fieldPath: metadata.name
- name: SLUICE_POD_UID
  valueFrom:
    fieldRef:
      apiVersion: v1
      fieldPath: metadata.uid
{{- end }}
{{- with $root.Values.aws.region }}
- name: AWS_REGION
  value: {{ . | quote }}
{{- end }}
{{- with $root.Values.aws.endpointURL }}
- name: AWS_ENDPOINT_URL
  value: {{ . | quote }}
{{- end }}
{{- if eq $values.identity.type "Secret" }}
{{- range list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" "AWS_SESSION_TOKEN" }}
- name: {{ . }}
  valueFrom:
    secretKeyRef:
      name: {{ $values.identity.secretName | quote }}
      key: {{ . }}
      {{- if eq . "AWS_SESSION_TOKEN" }}
      optional: true
      {{- end }}
{{- end }}
{{- end }}
{{- with $values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* What depends on more than one value, which the schema cannot say. */ -}}
{{- define "sluice.validate" -}}
{{- $values := .Values -}}
{{- if not $values.clusterID -}}
{{- fail "\n`clusterID` must be set: a name of this cluster, unique among those that share AWS accounts, such as --set clusterID=prod-eu" -}}
{{- end -}}
{{- if and (eq $values.scope "namespaces") (not $values.watchNamespaces) -}}
{{- fail "\n`watchNamespaces` must name at least one namespace where `scope` is namespaces" -}}
{{- end -}}
{{- if and (eq $values.scope "cluster") $values.watchNamespaces -}}
{{- fail "\n`watchNamespaces` must be empty where `scope` is cluster; set `scope: namespaces` to serve these namespaces only" -}}
{{- end -}}
{{- $components := include "sluice.components" . | fromJsonArray -}}
{{- if not $components -}}
{{- fail "\n`pools` must hold a pool where `controller.enabled` is false: nothing would run" -}}
{{- end -}}
{{- $times := $values.controller.leaderElection -}}
{{- if le (int $times.leaseDurationSeconds) (int $times.renewDeadlineSeconds) -}}
{{- fail (printf "\n`controller.leaderElection.renewDeadlineSeconds` must be less than `leaseDurationSeconds`, %d; found %d" (int $times.leaseDurationSeconds) (int $times.renewDeadlineSeconds)) -}}
{{- end -}}
{{- if le (mul 10 $times.renewDeadlineSeconds) (mul 12 $times.retryPeriodSeconds) -}}
{{- fail (printf "\n`controller.leaderElection.retryPeriodSeconds` must be less than `renewDeadlineSeconds` / 1.2; found %d" (int $times.retryPeriodSeconds)) -}}
{{- end -}}
{{- if and $values.metrics.podMonitor.enabled $values.metrics.serviceMonitor.enabled -}}
{{- fail "\n`metrics.serviceMonitor.enabled` must be false where `metrics.podMonitor.enabled` is true: every pod would be scraped twice" -}}
{{- end -}}
{{- include "sluice.validateClasses" . -}}
{{- $accounts := dict -}}
{{- range $components -}}
{{- include "sluice.validateComponent" (dict "root" $ "component" .) -}}
{{- if .values.serviceAccount.create -}}
{{- if hasKey $accounts .serviceAccount -}}
{{- fail (printf "\n`%s.serviceAccount.name` must be another one than that of `%s`, %s, or `create` false in one of them" .path (get $accounts .serviceAccount) .serviceAccount) -}}
{{- end -}}
{{- $_ := set $accounts .serviceAccount .path -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "sluice.validateClasses" -}}
{{- $default := "" -}}
{{- $scope := .Values.scope -}}
{{- range $name, $class := .Values.classes -}}
{{- $class = default dict $class -}}
{{- $spec := default dict $class.spec -}}
{{- if $class.default -}}
{{- if $default -}}
{{- fail (printf "\n`classes.%s.default` must be false: %s is the default class already" $name $default) -}}
{{- end -}}
{{- $default = $name -}}
{{- end -}}
{{- if eq $scope "namespaces" -}}
{{- if hasKey $spec "namespaceSelector" -}}
{{- fail (printf "\n`classes.%s.spec.namespaceSelector` must be left out where `scope` is namespaces: labels of namespaces are not read; list `namespaces` instead" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "sluice.validateComponent" -}}
{{- $identity := .component.values.identity -}}
{{- $account := .component.values.serviceAccount -}}
{{- $path := .component.path -}}
{{- if and (eq $identity.type "IRSA") $account.create (not $identity.roleARN) -}}
{{- fail (printf "\n`%s.identity.roleARN` must be set where `identity.type` is IRSA" $path) -}}
{{- end -}}
{{- if and $identity.roleARN (or (ne $identity.type "IRSA") (not $account.create)) -}}
{{- fail (printf "\n`%s.identity.roleARN` must be empty unless `identity.type` is IRSA and `serviceAccount.create` is true: nobody would read it" $path) -}}
{{- end -}}
{{- if and (eq $identity.type "Secret") (not $identity.secretName) -}}
{{- fail (printf "\n`%s.identity.secretName` must be set where `identity.type` is Secret" $path) -}}
{{- end -}}
{{- if and $identity.secretName (ne $identity.type "Secret") -}}
{{- fail (printf "\n`%s.identity.secretName` must be empty unless `identity.type` is Secret: nobody would read it" $path) -}}
{{- end -}}
{{- $values := .root.Values -}}
{{- if eq $values.scope "namespaces" -}}
{{- range .component.values.secretAccess -}}
{{- if not (has .namespace $values.watchNamespaces) -}}
{{- fail (printf "\n`%s.secretAccess` must be about `watchNamespaces`; found the namespace %s" $path .namespace) -}}
{{- end -}}
{{- end -}}
{{- range .component.values.serviceAccountAccess -}}
{{- if not (has .namespace $values.watchNamespaces) -}}
{{- fail (printf "\n`%s.serviceAccountAccess` must be about `watchNamespaces`; found the namespace %s" $path .namespace) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

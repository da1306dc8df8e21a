{{/* The release's name for all it makes. */}}
{{- define "steadygate.name" -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* For what releases share a place for: no two of them must meet. No namespace or release has a colon in its name. */}}
{{- define "steadygate.clusterName" -}}
{{- printf "%s:%s" .Release.Namespace (include "steadygate.name" .) -}}
{{- end -}}

{{/* What finds the pods. Never changes, for a Deployment's selector can't. */}}
{{- define "steadygate.selector" -}}
app.kubernetes.io/name: steadygate
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* For every object but pods: a label that changes with the chart's version would restart them. */}}
{{- define "steadygate.labels" -}}
{{ include "steadygate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "steadygate.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "steadygate.securityContext" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
readOnlyRootFilesystem: true
{{- end -}}

{{- define "steadygate.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* Seconds from SIGTERM's announcement to SIGKILL; shorter than the drain would cut what the drain promises. */}}
{{- define "steadygate.gracePeriod" -}}
{{- $needed := add .Values.preStopSeconds .Values.drainTimeout 10 -}}
{{- $given := .Values.terminationGracePeriodSeconds -}}
{{- if kindIs "invalid" $given -}}
{{ $needed }}
{{- else if lt (int $given) (int (add .Values.preStopSeconds .Values.drainTimeout)) -}}
{{- fail (printf "terminationGracePeriodSeconds is %d, but preStopSeconds (%d) and drainTimeout (%d) need %d: sessions would be cut; raise it, lower them, or leave it out" (int $given) (int .Values.preStopSeconds) (int .Values.drainTimeout) (int (add .Values.preStopSeconds .Values.drainTimeout))) -}}
{{- else -}}
{{ int $given }}
{{- end -}}
{{- end -}}

{{/* The release's name for all it makes: at most 53 characters, so that "-metrics" still fits. A Service's name has no dots. */}}
{{- define "steadygate.name" -}}
{{- .Release.Name | replace "." "-" -}}
{{- end -}}

{{/*
For what releases share a place for: no two of them must meet. No namespace or release has a colon in its name; the first
part keeps a namespace `system` away from the cluster's own roles.
*/}}
{{- define "steadygate.clusterName" -}}
{{- printf "steadygate:%s:%s" .Release.Namespace (include "steadygate.name" .) -}}
{{- end -}}

{{- define "steadygate.serviceAccount" -}}
{{- if and (not .Values.serviceAccount.create) (not .Values.serviceAccount.name) -}}
{{- fail "serviceAccount.create is false, so serviceAccount.name must name one that exists" -}}
{{- end -}}
{{- .Values.serviceAccount.name | default (include "steadygate.name" .) -}}
{{- end -}}

{{/* The Secret with the key of affinity cookies. */}}
{{- define "steadygate.affinityKeySecret" -}}
{{- .Values.affinityKey.secretName | default (printf "%s-affinity-key" (include "steadygate.name" .)) -}}
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
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
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

{{/* Whether clients come to ports of the nodes, and not to a Service. Empty: no. */}}
{{- define "steadygate.onNodes" -}}
{{- if and .Values.hostPort.enabled .Values.hostNetwork.enabled -}}
{{- fail "hostPort.enabled and hostNetwork.enabled exclude each other: choose one" -}}
{{- end -}}
{{- if or .Values.hostPort.enabled .Values.hostNetwork.enabled -}}true{{- end -}}
{{- end -}}

{{/*
The ports of clients. `listener` is what Ingresses and ApplicationGateways call the port, `container` where it is bound in
the pod, `port` what the Service calls it.
*/}}
{{- define "steadygate.ports" -}}
{{- $service := .Values.service -}}
{{- $listeners := list -}}
{{- range list (dict "name" "http" "listener" 80 "of" $service.http) (dict "name" "https" "listener" 443 "of" $service.https) -}}
{{- if .of.enabled -}}
{{- $listeners = append $listeners (dict "name" .name "listener" .listener "port" .of.port "nodePort" .of.nodePort) -}}
{{- end -}}
{{- end -}}
{{- range $service.extraPorts -}}
{{- $listeners = append $listeners (dict "name" .name "listener" .port "port" .port "nodePort" .nodePort) -}}
{{- end -}}
{{- if not $listeners -}}
{{- fail "service.http, service.https and service.extraPorts leave no port at all: enable one" -}}
{{- end -}}
{{- $ports := list -}}
{{- $offset := ternary (int .Values.hostNetwork.portOffset) 0 .Values.hostNetwork.enabled -}}
{{- $taken := dict (toString .Values.adminPort) "adminPort" -}}
{{- range $listeners -}}
{{- $container := add .listener $offset -}}
{{- if gt $container 65535 -}}
{{- fail (printf "port %d and hostNetwork.portOffset (%d) make %d, which is no port: lower the offset" (int .listener) $offset $container) -}}
{{- end -}}
{{- with get $taken (toString $container) -}}
{{- fail (printf "two listeners, %s among them, need port %d of the pod: change one" . $container) -}}
{{- end -}}
{{- $_ := set $taken (toString $container) .name -}}
{{- $ports = append $ports (set . "container" $container) -}}
{{- end -}}
{{- toYaml $ports -}}
{{- end -}}

{{/* Seconds from the order to stop to SIGKILL; less than what the drain promises would cut sessions. */}}
{{- define "steadygate.gracePeriod" -}}
{{- $needed := add .Values.preStopSeconds .Values.drainTimeout 10 -}}
{{- $given := .Values.terminationGracePeriodSeconds -}}
{{- if kindIs "invalid" $given -}}
{{ $needed }}
{{- else if lt (int $given) (int $needed) -}}
{{- fail (printf "terminationGracePeriodSeconds is %d, but preStopSeconds (%d), drainTimeout (%d) and 10 to spare need %d: sessions would be cut; raise it, lower them, or leave it out" (int $given) (int .Values.preStopSeconds) (int .Values.drainTimeout) (int $needed)) -}}
{{- else -}}
{{ int $given }}
{{- end -}}
{{- end -}}

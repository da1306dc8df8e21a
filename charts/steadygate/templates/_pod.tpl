{{/* The pods of a Deployment or a DaemonSet. Holds nothing that changes with the chart's version. */}}
{{- define "steadygate.pod" -}}
metadata:
  labels:
    {{- include "steadygate.selector" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .Values.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "steadygate.name" . | quote }}
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  terminationGracePeriodSeconds: {{ include "steadygate.gracePeriod" . }}
  securityContext:
    {{- include "steadygate.podSecurityContext" . | nindent 4 }}
    # Ports below 1024 without any capability.
    sysctls:
    - name: net.ipv4.ip_unprivileged_port_start
      value: "0"
  containers:
  - name: steadygate
    image: {{ include "steadygate.image" . | quote }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    args:
    - run
    - --admin=[::]:9180
    - {{ printf "--controller-name=%v" (.Values.ingressClass.controller) | quote }}
    - {{ printf "--lease=$(POD_NAMESPACE)/%v" (include "steadygate.name" .) | quote }}
    {{- if .Values.publishAddresses }}
    {{- range .Values.publishAddresses }}
    - {{ printf "--publish-address=%v" (.) | quote }}
    {{- end }}
    {{- else if not .Values.hostPort.enabled }}
    - {{ printf "--publish-service=$(POD_NAMESPACE)/%v" (include "steadygate.name" .) | quote }}
    {{- end }}
    {{- range .Values.watchNamespaces }}
    - {{ printf "--namespace=%v" (.) | quote }}
    {{- end }}
    {{- range .Values.serveControllers }}
    - {{ printf "--serve-controller=%v" (.) | quote }}
    {{- end }}
    {{- range .Values.trustedProxies }}
    - {{ printf "--trusted-proxy=%v" (.) | quote }}
    {{- end }}
    - {{ printf "--drain-timeout=%v" (.Values.drainTimeout) | quote }}
    - {{ printf "--header-timeout=%v" (.Values.headerTimeout) | quote }}
    {{- if .Values.h2c }}
    - --h2c
    {{- end }}
    {{- with .Values.workers }}
    - {{ printf "--workers=%v" (.) | quote }}
    {{- end }}
    - {{ printf "--log-format=%v" (.Values.log.format) | quote }}
    - {{ printf "--log=%v" (.Values.log.filter) | quote }}
    {{- if not .Values.log.access }}
    - --no-access-log
    {{- end }}
    {{- with .Values.extraArgs }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    env:
    - name: POD_NAME
      valueFrom:
        fieldRef:
          fieldPath: metadata.name
    - name: POD_NAMESPACE
      valueFrom:
        fieldRef:
          fieldPath: metadata.namespace
    {{- with .Values.extraEnv }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    ports:
    {{- range include "steadygate.ports" . | fromYamlArray }}
    - name: {{ .name }}
      containerPort: {{ .port }}
      {{- if $.Values.hostPort.enabled }}
      hostPort: {{ .port }}
      {{- end }}
    {{- end }}
    - name: admin
      containerPort: 9180
    startupProbe:
      httpGet: {path: /readyz, port: admin}
      periodSeconds: 1
      failureThreshold: 120
    readinessProbe:
      httpGet: {path: /readyz, port: admin}
      periodSeconds: 2
      failureThreshold: 1
    livenessProbe:
      httpGet: {path: /livez, port: admin}
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 6
    {{- if .Values.preStopSeconds }}
    lifecycle:
      preStop:
        sleep:
          seconds: {{ .Values.preStopSeconds }}
    {{- end }}
    {{- with .Values.resources }}
    resources:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    securityContext:
      {{- include "steadygate.securityContext" . | nindent 6 }}
  {{- if kindIs "invalid" .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "steadygate.selector" $ | nindent 8 }}
  {{- end }}
  {{- else if .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
  {{- toYaml .Values.topologySpreadConstraints | nindent 2 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . | quote }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* The listeners' ports: name, port, nodePort. */}}
{{- define "steadygate.ports" -}}
{{- $ports := list -}}
{{- range $name, $port := dict "http" .Values.service.http "https" .Values.service.https -}}
{{- if $port.enabled -}}
{{- $ports = append $ports (dict "name" $name "port" $port.port "nodePort" $port.nodePort) -}}
{{- end -}}
{{- end -}}
{{- $ports = concat $ports .Values.service.extraPorts -}}
{{- $names := list "admin" -}}
{{- $numbers := list "9180" -}}
{{- range $ports -}}
{{- if or (has .name $names) (has (toString .port) $numbers) -}}
{{- fail (printf "service: the name or number of port %v (%v) is taken; the admin port is admin (9180)" .name .port) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- $numbers = append $numbers (toString .port) -}}
{{- end -}}
{{- if not $ports -}}
{{- fail "service.http, service.https and service.extraPorts leave no port to listen at" -}}
{{- end -}}
{{- toYaml $ports -}}
{{- end -}}

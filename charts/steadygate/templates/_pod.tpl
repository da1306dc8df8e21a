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
  serviceAccountName: {{ include "steadygate.serviceAccount" . | quote }}
  # The account's token is mounted here alone, wherever else the account is used.
  automountServiceAccountToken: {{ .Values.serviceAccount.automount }}
  # Each Service of the namespace would be a handful of variables.
  enableServiceLinks: false
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  terminationGracePeriodSeconds: {{ include "steadygate.gracePeriod" . }}
  securityContext:
    {{- include "steadygate.podSecurityContext" . | nindent 4 }}
    {{- if not .Values.hostNetwork.enabled }}
    # Ports below 1024 without any capability. In the node's network it would be the node's setting, and is refused.
    sysctls:
    - name: net.ipv4.ip_unprivileged_port_start
      value: "0"
    {{- end }}
  {{- if .Values.hostNetwork.enabled }}
  hostNetwork: true
  # Names of Services stay resolvable.
  dnsPolicy: ClusterFirstWithHostNet
  {{- end }}
  containers:
  - name: steadygate
    image: {{ include "steadygate.image" . | quote }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    args:
    - run
    # Where a node has no IPv6, IPv4 alone.
    - --admin=[::]:{{ .Values.adminPort }}
    {{- $ports := include "steadygate.ports" . | fromYamlArray }}
    {{- range $ports }}
    {{- if ne (int .listener) (int .container) }}
    - {{ printf "--listen=%d=%s" (int .listener) (printf (ternary "[%s]:%d" "%s:%d" (contains ":" $.Values.hostNetwork.address)) $.Values.hostNetwork.address (int .container)) | quote }}
    {{- end }}
    {{- end }}
    - {{ printf "--controller-name=%v" (.Values.ingressClass.controller) | quote }}
    {{- if not .Values.status.write }}
    - --no-status
    {{- else }}
    - {{ printf "--lease=$(POD_NAMESPACE)/%v" (include "steadygate.name" .) | quote }}
    {{- if .Values.publishAddresses }}
    {{- range .Values.publishAddresses }}
    - {{ printf "--publish-address=%v" (.) | quote }}
    {{- end }}
    {{- else if not (include "steadygate.onNodes" .) }}
    - {{ printf "--publish-service=$(POD_NAMESPACE)/%v" (include "steadygate.name" .) | quote }}
    {{- end }}
    {{- end }}
    {{- if ne .Values.tenancy "shared" }}
    - {{ printf "--tenancy=%v" (.Values.tenancy) | quote }}
    {{- end }}
    {{- with .Values.defaultCertificate }}
    - {{ printf "--default-certificate=%v" (.) | quote }}
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
    {{- if and .Values.proxyProtocol (not .Values.trustedProxies) }}
    {{- fail "proxyProtocol needs trustedProxies: the load balancers whose headers are believed" }}
    {{- end }}
    {{- range .Values.proxyProtocol }}
    - {{ printf "--proxy-protocol=%v" (.) | quote }}
    {{- end }}
    - {{ printf "--drain-timeout=%v" (.Values.drainTimeout) | quote }}
    - {{ printf "--header-timeout=%v" (.Values.headerTimeout) | quote }}
    {{- if .Values.gatewayApi }}
    - --gateway-api
    {{- end }}
    {{- if not .Values.externalNames }}
    - --no-external-names
    {{- end }}
    - --affinity-key-file=/etc/steadygate/affinity/key
    {{- if .Values.h2c }}
    - --h2c
    {{- end }}
    {{- if not .Values.serverHeader }}
    - --no-server-header
    {{- end }}
    {{- with .Values.limits.connections }}
    - {{ printf "--max-connections=%v" (int64 .) | quote }}
    {{- end }}
    {{- with .Values.limits.connectionsPerAddress }}
    - {{ printf "--max-connections-per-address=%v" (int64 .) | quote }}
    {{- end }}
    {{- with .Values.limits.unansweredBytes }}
    - {{ printf "--max-unanswered-bytes=%v" (int64 .) | quote }}
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
    - name: POD_IPS
      valueFrom:
        fieldRef:
          fieldPath: status.podIPs
    # For steadygate sessions, called in the pod.
    - name: STEADYGATE_ADMIN
      value: {{ printf "[::]:%d" (int .Values.adminPort) | quote }}
    {{- with .Values.extraEnv }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    ports:
    {{- range $ports }}
    - name: {{ .name }}
      containerPort: {{ .container }}
      {{- if include "steadygate.onNodes" $ }}
      hostPort: {{ .container }}
      {{- end }}
    {{- end }}
    - name: admin
      containerPort: {{ .Values.adminPort }}
      {{- if .Values.hostNetwork.enabled }}
      hostPort: {{ .Values.adminPort }}
      {{- end }}
    # That it lives, not that it is ready: an API server that can't be reached is no reason to restart.
    startupProbe:
      httpGet: {path: /livez, port: admin}
      periodSeconds: 1
      failureThreshold: 60
    # One slow answer is no reason to lose half the pods.
    readinessProbe:
      httpGet: {path: /readyz, port: admin}
      periodSeconds: 2
      timeoutSeconds: 2
      failureThreshold: 3
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
    volumeMounts:
    - name: affinity-key
      mountPath: /etc/steadygate/affinity
      readOnly: true
    {{- with .Values.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
  # Pods serve without it, too: then each has a key of its own.
  - name: affinity-key
    secret:
      secretName: {{ include "steadygate.affinityKeySecret" . | quote }}
      optional: true
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- if kindIs "invalid" .Values.topologySpreadConstraints }}
  {{- if eq .Values.kind "Deployment" }}
  topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "steadygate.selector" $ | nindent 8 }}
    # Each version for itself: else the pods that a rollout takes away count as well.
    matchLabelKeys: [pod-template-hash]
  {{- end }}
  {{- end }}
  {{- else }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml . | nindent 4 }}
  {{- end }}
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

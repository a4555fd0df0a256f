{{- define "aliyun-cas-exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- /* 50: a StatefulSet puts its name and a hash into a label of 63 characters. */}}
{{- define "aliyun-cas-exporter.fullname" -}}
{{- $name := include "aliyun-cas-exporter.name" . }}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- default $full .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- /* A Service cannot become headless, so it is another one. */}}
{{- define "aliyun-cas-exporter.serviceName" -}}
{{- include "aliyun-cas-exporter.fullname" . }}{{ if .Values.sharding.enabled }}-shards{{ end }}
{{- end }}

{{- define "aliyun-cas-exporter.serviceAccountName" -}}
{{- default (ternary (include "aliyun-cas-exporter.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name }}
{{- end }}

{{- define "aliyun-cas-exporter.selector" -}}
app.kubernetes.io/name: {{ include "aliyun-cas-exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "aliyun-cas-exporter.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{- /* (list root name [labels [annotations [namespace]]]) */}}
{{- define "aliyun-cas-exporter.metadata" -}}
{{- $root := first . }}
{{- $labels := dict
  "app.kubernetes.io/version" $root.Chart.AppVersion
  "app.kubernetes.io/managed-by" $root.Release.Service
  "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_") -}}
name: {{ index . 1 }}
namespace: {{ ternary (last .) "" (gt (len .) 4) | default (include "aliyun-cas-exporter.namespace" $root) }}
labels:
  {{- merge (include "aliyun-cas-exporter.selector" $root | fromYaml) $labels (slice . 2 | first | default dict) $root.Values.commonLabels | toYaml | nindent 2 }}
{{- with slice . 2 | rest | first }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "aliyun-cas-exporter.scheme" -}}
{{ ternary "https" "http" .Values.web.tls }}
{{- end }}

{{- /* Where people reach the exporter from outside the cluster; empty if they do not. */}}
{{- define "aliyun-cas-exporter.publicUrl" -}}
{{- if .Values.ingress.enabled -}}
{{ ternary "https" "http" (gt (len .Values.ingress.tls) 0) }}://{{ first .Values.ingress.hosts }}
{{- else if .Values.httpRoute.enabled }}
{{- with first .Values.httpRoute.hostnames }}https://{{ . }}{{ end }}
{{- end }}
{{- end }}

{{- /* 90 % of the container's memory limit in bytes: Go does not know all memory that the kernel counts. Empty without a
limit, and for one that is not written as usual. */}}
{{- define "aliyun-cas-exporter.goMemoryLimit" -}}
{{- $limit := dig "limits" "memory" "" .Values.resources | include "aliyun-cas-exporter.text" }}
{{- if regexMatch "^[0-9]+(\\.[0-9]+)?([kMG]|[KMG]i)?$" $limit }}
{{- $units := dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 }}
{{- mulf (regexFind "^[0-9.]+" $limit | float64) (index $units (regexFind "[a-zA-Z]*$" $limit)) 0.9 | int64 }}
{{- end }}
{{- end }}

{{- /* YAML numbers are floating-point, and a million must not become 1e+06. */}}
{{- define "aliyun-cas-exporter.text" -}}
{{- if kindIs "slice" . }}
{{- range $i, $item := . }}{{ if $i }},{{ end }}{{ include "aliyun-cas-exporter.text" $item }}{{ end }}
{{- else if and (kindIs "float64" .) (eq . (floor .)) }}{{ int64 . }}
{{- else }}{{ . }}
{{- end }}
{{- end }}

{{- /* What the exporter's environment has, secrets apart. */}}
{{- define "aliyun-cas-exporter.environment" -}}
{{- range $name, $value := .Values.settings }}
{{ $name }}: {{ include "aliyun-cas-exporter.text" $value | quote }}
{{- end }}
{{- if and .Values.probes.enabled (not (hasKey .Values.settings "CAS_PROBE_TARGETS_PER_JOB")) }}
CAS_PROBE_TARGETS_PER_JOB: "1000"
{{- end }}
CAS_WEB_LISTEN_ADDRESS: ":10077"
{{- $accounts := list }}
{{- range $name, $role := .Values.accounts }}
{{- $accounts = printf "%s:%s" $name $role | append $accounts }}
{{- end }}
{{- with $accounts }}
CAS_ACCOUNTS: {{ join "," . | quote }}
{{- end }}
{{- if .Values.sharding.enabled }}
CAS_TOTAL_SHARDS: {{ .Values.replicas | quote }}
{{- end }}
{{- if .Values.web.secretName }}
CAS_WEB_CONFIG_FILE: /etc/aliyun-cas-exporter/web/{{ .Values.web.fileName }}
{{- end }}
{{- if not .Values.demo }}
{{- with .Values.credentials }}
CAS_CREDENTIALS: {{ .source }}
{{- if eq .source "file" }}
CAS_ACCESS_KEY_ID_FILE: /etc/aliyun-cas-exporter/credentials/access_key_id
CAS_ACCESS_KEY_SECRET_FILE: /etc/aliyun-cas-exporter/credentials/access_key_secret
{{- if .secretKeys.securityToken }}
CAS_SECURITY_TOKEN_FILE: /etc/aliyun-cas-exporter/credentials/security_token
{{- end }}
{{- else if and (eq .source "oidc") (not .oidc.roleName) }}
ALIBABA_CLOUD_ROLE_ARN: {{ .oidc.roleArn }}
ALIBABA_CLOUD_OIDC_PROVIDER_ARN: {{ .oidc.providerArn }}
ALIBABA_CLOUD_OIDC_TOKEN_FILE: /var/run/secrets/ack.alibabacloud.com/rrsa-tokens/token
{{- else if and (eq .source "ecs_ram_role") .ecsRamRole }}
ALIBABA_CLOUD_ECS_METADATA: {{ .ecsRamRole }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Source of credentials that the chart sets up: file, env or oidc; empty for others. */}}
{{- define "aliyun-cas-exporter.provides" -}}
{{- with .Values.credentials }}
{{- if $.Values.demo }}
{{- else if has .source (list "file" "env") }}{{ .source }}
{{- else if and (eq .source "oidc") (not .oidc.roleName) }}oidc
{{- end }}
{{- end }}
{{- end }}

{{- /* (list root path period changes) */}}
{{- define "aliyun-cas-exporter.probe" -}}
{{- $root := first . }}
{{- $probe := dict "periodSeconds" (index . 2) "timeoutSeconds" 5 }}
{{- $changes := last . }}
{{- if or $changes.httpGet $changes.tcpSocket $changes.exec $changes.grpc }}
{{- else if $root.Values.web.authentication }}
{{- $_ := set $probe "tcpSocket" (dict "port" "http") }}
{{- else }}
{{- $_ := set $probe "httpGet" (dict "path" (index . 1) "port" "http" "scheme" (include "aliyun-cas-exporter.scheme" $root | upper)) }}
{{- end }}
{{- merge (dict) $changes $probe | toYaml }}
{{- end }}

{{- /* Alertmanager's matchers, such as `alertname =~ "A|B"`, as prometheus-operator has them. */}}
{{- define "aliyun-cas-exporter.matchers" -}}
{{- range . }}
- {{ regexReplaceAll `^\s*(\w+)\s*(=~|!~|!=|=)\s*"?(.*?)"?\s*$` . `{"name": "$1", "matchType": "$2", "value": "$3"}` }}
{{- end }}
{{- end }}

{{- /* What the schema cannot say. `helm lint` takes these for remarks. */}}
{{- define "aliyun-cas-exporter.check" -}}
{{- with .Values.credentials }}
{{- if $.Values.demo }}
{{- else if and (has .source (list "file" "env")) (not .secretName) }}
{{- fail "credentials.secretName is empty: name a Secret with a key, choose another credentials.source, or set demo=true" }}
{{- else if and (eq .source "oidc") .oidc.roleName (or .oidc.roleArn .oidc.providerArn) }}
{{- fail "credentials.oidc: roleName is for ack-pod-identity-webhook, roleArn and providerArn are for clusters without it" }}
{{- else if and (eq .source "oidc") (not .oidc.roleName) (not (and .oidc.roleArn .oidc.providerArn)) }}
{{- fail "credentials.oidc: set roleName, or roleArn and providerArn" }}
{{- end }}
{{- end }}
{{- with .Values.web }}
{{- if and (not .secretName) (or .tls .authentication .tlsSecretName) }}
{{- fail "web.secretName is empty: the web server's configuration comes from a Secret" }}
{{- end }}
{{- end }}
{{- if and .Values.sharding.enabled (ne .Values.service.type "ClusterIP") }}
{{- fail "service.type: shards have a headless Service, which is a ClusterIP" }}
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) }}
{{- fail "ingress.hosts is empty: name a host" }}
{{- end }}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) }}
{{- fail "httpRoute.parentRefs is empty: name a Gateway" }}
{{- end }}
{{- end }}

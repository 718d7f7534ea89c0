{{- define "ashlar.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Begins the name of everything, so also of storage nodes in the cluster map: it must not change while the cluster lives. */}}
{{- define "ashlar.fullname" -}}
{{- $name := include "ashlar.name" . -}}
{{- $full := printf "%s-%s" .Release.Name $name -}}
{{- if contains $name .Release.Name }}{{ $full = .Release.Name }}{{ end -}}
{{- $full = default $full .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- if not (regexMatch "^[a-z]([a-z0-9]|-[a-z0-9])*$" $full) -}}
{{- fail (printf "%s cannot begin the names of storage nodes: lower-case letters, digits and single hyphens, please (fullnameOverride)" $full) -}}
{{- end -}}
{{- $full -}}
{{- end -}}

{{- define "ashlar.selector" -}}
app.kubernetes.io/name: {{ include "ashlar.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "ashlar.labels" -}}
{{ include "ashlar.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "ashlar.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ printf "%s@%s" .repository .digest }}{{ else }}{{ printf "%s:%s" .repository (default $.Chart.AppVersion .tag) }}{{ end -}}
{{- end -}}
{{- end -}}

{{- define "ashlar.secretName" -}}
{{- default (include "ashlar.fullname" .) .Values.credentials.existingSecret -}}
{{- end -}}

{{- define "ashlar.serviceAccount" -}}
{{- default (include "ashlar.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{/* How many metadata processes there are. */}}
{{- define "ashlar.metadataReplicas" -}}
{{- ternary .Values.metadata.replicas 1 (ne .Values.metadata.engine.existingSecret "") -}}
{{- end -}}

{{/* What a pod of a headless service is called by others, before its port. */}}
{{- define "ashlar.podHost" -}}
{{- printf "%s.%s.%s.svc.%s" .pod .service .root.Release.Namespace .root.Values.clusterDomain -}}
{{- end -}}

{{/* host:port of every metadata process, by name: any one of them leads to all. */}}
{{- define "ashlar.metadataAddresses" -}}
{{- $service := printf "%s-metadata" (include "ashlar.fullname" .) -}}
{{- $all := list -}}
{{- range $index := until (int (include "ashlar.metadataReplicas" .)) -}}
{{- $host := include "ashlar.podHost" (dict "root" $ "service" $service "pod" (printf "%s-%d" $service $index)) -}}
{{- $all = append $all (printf "%s:9101" $host) -}}
{{- end -}}
{{- join "," $all -}}
{{- end -}}

{{/* Storage nodes by zone, as metadata reads them when it begins the cluster. */}}
{{- define "ashlar.nodes" -}}
{{- $full := include "ashlar.fullname" . -}}
{{- $zones := dict -}}
{{- range $zone := .Values.zones -}}
{{- $nodes := list -}}
{{- range $index := until (int $zone.nodes) -}}
{{- $nodes = append $nodes (printf "%s-%s-%d" $full $zone.name $index) -}}
{{- end -}}
{{- if hasKey $zones $zone.name }}{{ fail (printf "zone %s is named twice" $zone.name) }}{{ end -}}
{{- $_ := set $zones $zone.name $nodes -}}
{{- end -}}
{{- toJson $zones -}}
{{- end -}}

{{/* Helm reads numbers as floats: 1000000 would be written 1e+06. */}}
{{- define "ashlar.optionText" -}}
{{- if kindIs "float64" . }}{{ if eq . (floor .) }}{{ printf "%.0f" . }}{{ else }}{{ . }}{{ end }}{{ else }}{{ . }}{{ end -}}
{{- end -}}

{{/* Options in camelCase as the variables that the program reads. */}}
{{- define "ashlar.options" -}}
{{- range $key, $value := . }}
- name: ASHLAR_{{ regexReplaceAll "([A-Z])" $key "_${1}" | upper }}
  value: {{ include "ashlar.optionText" $value | quote }}
{{- end }}
{{- end -}}

{{/* The environment of every container; what a service does not know it does not read. `ashlar status` in a container finds its cluster by it. */}}
{{- define "ashlar.environment" -}}
- name: POD_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
- name: ASHLAR_METADATA
  value: {{ include "ashlar.metadataAddresses" . | quote }}
- name: ASHLAR_SECRET_FILE
  value: /etc/ashlar/secret/cluster-secret
- name: ASHLAR_HOST
  value: {{ .Values.listenHost | quote }}
- name: ASHLAR_ADMIN_HOST
  value: {{ .Values.listenHost | quote }}
- name: ASHLAR_ADMIN_PORT
  value: "9180"
- name: ASHLAR_LOG_LEVEL
  value: {{ .Values.logLevel | quote }}
{{- end -}}

{{- define "ashlar.secretMount" -}}
- name: secret
  mountPath: /etc/ashlar/secret
  readOnly: true
{{- end -}}

{{- define "ashlar.secretVolume" -}}
- name: secret
  secret:
    secretName: {{ include "ashlar.secretName" . }}
    defaultMode: 0440
    items: [{ key: cluster-secret, path: cluster-secret }]
{{- end -}}

{{/* What all pods have in common. @param root, values (of the component), component */}}
{{- define "ashlar.pod" -}}
serviceAccountName: {{ include "ashlar.serviceAccount" .root }}
automountServiceAccountToken: false
# A Service called ashlar would set ASHLAR_PORT to an address, which the program would take for its own.
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 1000
  runAsGroup: 1000
  fsGroup: 1000
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Over zones, then over machines, as far as there are some. */}}
{{- define "ashlar.spread" -}}
topologySpreadConstraints:
  {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "ashlar.selector" $.root | nindent 8 }}
        app.kubernetes.io/component: {{ $.component }}
  {{- end }}
{{- end -}}

{{/* What all containers have in common. @param root, values (of the component), startSeconds (until it must serve) */}}
{{- define "ashlar.container" -}}
image: {{ include "ashlar.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
resources: {{ toYaml .values.resources | nindent 2 }}
# The admin interface opens last: a service that answers there serves. It does not ask metadata or others, so that one that is
# down takes nobody with it.
startupProbe:
  httpGet: { path: /healthz, port: admin }
  periodSeconds: 5
  timeoutSeconds: 4
  failureThreshold: {{ div .startSeconds 5 }}
readinessProbe:
  httpGet: { path: /healthz, port: admin }
  periodSeconds: 5
  timeoutSeconds: 4
  failureThreshold: 2
livenessProbe:
  httpGet: { path: /healthz, port: admin }
  periodSeconds: 10
  timeoutSeconds: 8
  failureThreshold: 6
{{- end -}}

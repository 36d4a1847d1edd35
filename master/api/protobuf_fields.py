"""Field numbers of Kubernetes' messages: number to JSON field, for `protobuf.py`. Written by script/protobuf_fields.py.

One line a message (longer ones go on indented): `number flags name:Type` without spaces between. Type: nothing for a string,
`i` a whole number, `o` a boolean, `b` bytes, else a message. Flags: `*` repeated, `%` a map from strings, `.` a struct whose fields
stand in the parent, `?` left out when zero or empty, as Go's JSON does. A message whose name another group or version has too is
named with its own (`autoscaling.v2.MetricSpec`); those of core/v1 and meta/v1 never are.
A field that is not here is skipped: newer than the served version, or the server's own (managedFields).
"""

KINDS = {
    "v1": "Binding ConfigMap DeleteOptions Endpoints Event LimitRange Namespace Node PersistentVolume PersistentVolumeClaim Pod "
    "PodTemplate ReplicationController ResourceQuota Secret Service ServiceAccount",
    "admissionregistration.k8s.io/v1": "MutatingWebhookConfiguration ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding "
    "ValidatingWebhookConfiguration",
    "apps/v1": "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
    "authentication.k8s.io/v1": "SelfSubjectReview TokenRequest TokenReview",
    "authorization.k8s.io/v1": "LocalSubjectAccessReview SelfSubjectAccessReview SelfSubjectRulesReview SubjectAccessReview",
    "autoscaling/v1": "HorizontalPodAutoscaler Scale",
    "autoscaling/v2": "HorizontalPodAutoscaler",
    "batch/v1": "CronJob Job",
    "certificates.k8s.io/v1": "CertificateSigningRequest",
    "coordination.k8s.io/v1": "Lease",
    "discovery.k8s.io/v1": "EndpointSlice",
    "events.k8s.io/v1": "Event",
    "networking.k8s.io/v1": "IPAddress Ingress IngressClass NetworkPolicy ServiceCIDR",
    "node.k8s.io/v1": "RuntimeClass",
    "policy/v1": "Eviction PodDisruptionBudget",
    "rbac.authorization.k8s.io/v1": "ClusterRole ClusterRoleBinding Role RoleBinding",
    "scheduling.k8s.io/v1": "PriorityClass",
    "storage.k8s.io/v1": "CSIDriver CSINode CSIStorageCapacity StorageClass VolumeAttachment",
}
"""The kinds that are read, by apiVersion. DeleteOptions comes with any."""

TABLE = """\
AWSElasticBlockStoreVolumeSource: 1volumeID 2?fsType 3?partition:i 4?readOnly:o
Affinity: 1nodeAffinity:NodeAffinity 2podAffinity:PodAffinity 3podAntiAffinity:PodAntiAffinity
AggregationRule: 1*clusterRoleSelectors:LabelSelector
AppArmorProfile: 1type 2?localhostProfile
AttachedVolume: 1name 2devicePath
AuditAnnotation: 1key 2valueExpression
AzureDiskVolumeSource: 1diskName 2diskURI 3?cachingMode 4?fsType 5?readOnly:o 6?kind
AzureFilePersistentVolumeSource: 1secretName 2shareName 3?readOnly:o 4?secretNamespace
AzureFileVolumeSource: 1secretName 2shareName 3?readOnly:o
Binding: 1metadata:ObjectMeta 2target:ObjectReference
BoundObjectReference: 1?kind 2?apiVersion 3?name 4?uid
CSIDriver: 1metadata:ObjectMeta 2spec:CSIDriverSpec
CSIDriverSpec: 1attachRequired:o 2podInfoOnMount:o 3*volumeLifecycleModes 4storageCapacity:o 5?fsGroupPolicy
    6*tokenRequests:storage.v1.TokenRequest 7requiresRepublish:o 8seLinuxMount:o 9nodeAllocatableUpdatePeriodSeconds:i
CSINode: 1metadata:ObjectMeta 2spec:CSINodeSpec
CSINodeDriver: 1name 2nodeID 3*topologyKeys 4allocatable:VolumeNodeResources
CSINodeSpec: 1*drivers:CSINodeDriver
CSIPersistentVolumeSource: 1driver 2volumeHandle 3?readOnly:o 4?fsType 5%volumeAttributes 6controllerPublishSecretRef:SecretReference
    7nodeStageSecretRef:SecretReference 8nodePublishSecretRef:SecretReference 9controllerExpandSecretRef:SecretReference
    10nodeExpandSecretRef:SecretReference
CSIStorageCapacity: 1metadata:ObjectMeta 2nodeTopology:LabelSelector 3storageClassName 4capacity:Quantity 5maximumVolumeSize:Quantity
CSIVolumeSource: 1driver 2?readOnly:o 3?fsType 4%volumeAttributes 5nodePublishSecretRef:LocalObjectReference
Capabilities: 1*add 2*drop
CephFSPersistentVolumeSource: 1*monitors 2?path 3?user 4?secretFile 5secretRef:SecretReference 6?readOnly:o
CephFSVolumeSource: 1*monitors 2?path 3?user 4?secretFile 5secretRef:LocalObjectReference 6?readOnly:o
CertificateSigningRequest: 1metadata:ObjectMeta 2spec:CertificateSigningRequestSpec 3status:CertificateSigningRequestStatus
CertificateSigningRequestCondition: 1type 6status 2?reason 3?message 4lastUpdateTime:Time 5lastTransitionTime:Time
CertificateSigningRequestSpec: 1request:b 7signerName 8expirationSeconds:i 5*usages 2?username 3?uid 4*groups 6%extra:ExtraValue
CertificateSigningRequestStatus: 1*conditions:CertificateSigningRequestCondition 2?certificate:b
CinderPersistentVolumeSource: 1volumeID 2?fsType 3?readOnly:o 4secretRef:SecretReference
CinderVolumeSource: 1volumeID 2?fsType 3?readOnly:o 4secretRef:LocalObjectReference
ClientIPConfig: 1timeoutSeconds:i
ClusterRole: 1metadata:ObjectMeta 2*rules:PolicyRule 3aggregationRule:AggregationRule
ClusterRoleBinding: 1metadata:ObjectMeta 2*subjects:Subject 3roleRef:RoleRef
ClusterTrustBundleProjection: 1?name 2?signerName 3labelSelector:LabelSelector 5optional:o 4path
Condition: 1type 2status 3?observedGeneration:i 4lastTransitionTime:Time 5reason 6message
ConfigMap: 1metadata:ObjectMeta 4immutable:o 2%data 3%binaryData:b
ConfigMapEnvSource: 1.localObjectReference:LocalObjectReference 2optional:o
ConfigMapKeySelector: 1.localObjectReference:LocalObjectReference 2key 3optional:o
ConfigMapNodeConfigSource: 1namespace 2name 3?uid 4?resourceVersion 5kubeletConfigKey
ConfigMapProjection: 1.localObjectReference:LocalObjectReference 2*items:KeyToPath 4optional:o
ConfigMapVolumeSource: 1.localObjectReference:LocalObjectReference 2*items:KeyToPath 3defaultMode:i 4optional:o
Container: 1name 2?image 3*command 4*args 5?workingDir 6*ports:ContainerPort 19*envFrom:EnvFromSource 7*env:EnvVar
    8resources:ResourceRequirements 23*resizePolicy:ContainerResizePolicy 24?restartPolicy 9*volumeMounts:VolumeMount
    21*volumeDevices:VolumeDevice 10livenessProbe:Probe 11readinessProbe:Probe 22startupProbe:Probe 12lifecycle:Lifecycle
    13?terminationMessagePath 20?terminationMessagePolicy 14?imagePullPolicy 15securityContext:SecurityContext 16?stdin:o 17?stdinOnce:o
    18?tty:o
ContainerImage: 1*names 2?sizeBytes:i
ContainerPort: 1?name 2?hostPort:i 3containerPort:i 4?protocol 5?hostIP
ContainerResizePolicy: 1resourceName 2restartPolicy
ContainerResourceMetricSource: 1name 2target:MetricTarget 3container
ContainerResourceMetricStatus: 1name 2current:MetricValueStatus 3container
ContainerState: 1waiting:ContainerStateWaiting 2running:ContainerStateRunning 3terminated:ContainerStateTerminated
ContainerStateRunning: 1startedAt:Time
ContainerStateTerminated: 1exitCode:i 2?signal:i 3?reason 4?message 5startedAt:Time 6finishedAt:Time 7?containerID
ContainerStateWaiting: 1?reason 2?message
ContainerStatus: 1name 2state:ContainerState 3lastState:ContainerState 4ready:o 5restartCount:i 6image 7imageID 8?containerID 9started:o
    10%allocatedResources:Quantity 11resources:ResourceRequirements 12*volumeMounts:VolumeMountStatus 13user:ContainerUser
    14*allocatedResourcesStatus:ResourceStatus 15?stopSignal
ContainerUser: 1linux:LinuxContainerUser
ControllerRevision: 1metadata:ObjectMeta 2data:RawExtension 3revision:i
CronJob: 1metadata:ObjectMeta 2spec:CronJobSpec 3status:CronJobStatus
CronJobSpec: 1schedule 8?timeZone 2startingDeadlineSeconds:i 3?concurrencyPolicy 4suspend:o 5jobTemplate:JobTemplateSpec
    6successfulJobsHistoryLimit:i 7failedJobsHistoryLimit:i
CronJobStatus: 1*active:ObjectReference 4lastScheduleTime:Time 5lastSuccessfulTime:Time
DaemonEndpoint: 1Port:i
DaemonSet: 1metadata:ObjectMeta 2spec:DaemonSetSpec 3status:DaemonSetStatus
DaemonSetCondition: 1type 2status 3lastTransitionTime:Time 4?reason 5?message
DaemonSetSpec: 1selector:LabelSelector 2template:PodTemplateSpec 3updateStrategy:DaemonSetUpdateStrategy 4?minReadySeconds:i
    6revisionHistoryLimit:i
DaemonSetStatus: 1currentNumberScheduled:i 2numberMisscheduled:i 3desiredNumberScheduled:i 4numberReady:i 5?observedGeneration:i
    6?updatedNumberScheduled:i 7?numberAvailable:i 8?numberUnavailable:i 9collisionCount:i 10*conditions:DaemonSetCondition
DaemonSetUpdateStrategy: 1?type 2rollingUpdate:RollingUpdateDaemonSet
DeleteOptions: 1gracePeriodSeconds:i 2preconditions:Preconditions 3orphanDependents:o 4?propagationPolicy 5*dryRun
    6ignoreStoreReadErrorWithClusterBreakingPotential:o
Deployment: 1metadata:ObjectMeta 2spec:DeploymentSpec 3status:DeploymentStatus
DeploymentCondition: 1type 2status 6lastUpdateTime:Time 7lastTransitionTime:Time 4?reason 5?message
DeploymentSpec: 1replicas:i 2selector:LabelSelector 3template:PodTemplateSpec 4strategy:DeploymentStrategy 5?minReadySeconds:i
    6revisionHistoryLimit:i 7?paused:o 9progressDeadlineSeconds:i
DeploymentStatus: 1?observedGeneration:i 2?replicas:i 3?updatedReplicas:i 7?readyReplicas:i 4?availableReplicas:i
    5?unavailableReplicas:i 9terminatingReplicas:i 6*conditions:DeploymentCondition 8collisionCount:i
DeploymentStrategy: 1?type 2rollingUpdate:RollingUpdateDeployment
DownwardAPIProjection: 1*items:DownwardAPIVolumeFile
DownwardAPIVolumeFile: 1path 2fieldRef:ObjectFieldSelector 3resourceFieldRef:ResourceFieldSelector 4mode:i
DownwardAPIVolumeSource: 1*items:DownwardAPIVolumeFile 2defaultMode:i
EmptyDirVolumeSource: 1?medium 2sizeLimit:Quantity
Endpoint: 1*addresses 2conditions:EndpointConditions 3?hostname 4targetRef:ObjectReference 5%deprecatedTopology 6?nodeName 7?zone
    8hints:EndpointHints
EndpointAddress: 1ip 3?hostname 4?nodeName 2targetRef:ObjectReference
EndpointConditions: 1ready:o 2serving:o 3terminating:o
EndpointHints: 1*forZones:ForZone 2*forNodes:ForNode
EndpointPort: 1?name 2port:i 3?protocol 4?appProtocol
EndpointSlice: 1metadata:ObjectMeta 4addressType 2*endpoints:Endpoint 3*ports:discovery.v1.EndpointPort
EndpointSubset: 1*addresses:EndpointAddress 2*notReadyAddresses:EndpointAddress 3*ports:EndpointPort
Endpoints: 1metadata:ObjectMeta 2*subsets:EndpointSubset
EnvFromSource: 1?prefix 2configMapRef:ConfigMapEnvSource 3secretRef:SecretEnvSource
EnvVar: 1name 2?value 3valueFrom:EnvVarSource
EnvVarSource: 1fieldRef:ObjectFieldSelector 2resourceFieldRef:ResourceFieldSelector 3configMapKeyRef:ConfigMapKeySelector
    4secretKeyRef:SecretKeySelector
EphemeralContainer: 1.ephemeralContainerCommon:EphemeralContainerCommon 2?targetContainerName
EphemeralContainerCommon: 1name 2?image 3*command 4*args 5?workingDir 6*ports:ContainerPort 19*envFrom:EnvFromSource 7*env:EnvVar
    8resources:ResourceRequirements 23*resizePolicy:ContainerResizePolicy 24?restartPolicy 9*volumeMounts:VolumeMount
    21*volumeDevices:VolumeDevice 10livenessProbe:Probe 11readinessProbe:Probe 22startupProbe:Probe 12lifecycle:Lifecycle
    13?terminationMessagePath 20?terminationMessagePolicy 14?imagePullPolicy 15securityContext:SecurityContext 16?stdin:o 17?stdinOnce:o
    18?tty:o
EphemeralVolumeSource: 1volumeClaimTemplate:PersistentVolumeClaimTemplate
Event: 1metadata:ObjectMeta 2involvedObject:ObjectReference 3?reason 4?message 5source:EventSource 6firstTimestamp:Time
    7lastTimestamp:Time 8?count:i 9?type 10eventTime:MicroTime 11series:EventSeries 12?action 13related:ObjectReference
    14?reportingComponent 15?reportingInstance
EventSeries: 1?count:i 2lastObservedTime:MicroTime
EventSource: 1?component 2?host
Eviction: 1metadata:ObjectMeta 2deleteOptions:DeleteOptions
ExecAction: 1*command
ExpressionWarning: 2fieldRef 3warning
ExternalMetricSource: 1metric:MetricIdentifier 2target:MetricTarget
ExternalMetricStatus: 1metric:MetricIdentifier 2current:MetricValueStatus
FCVolumeSource: 1*targetWWNs 2lun:i 3?fsType 4?readOnly:o 5*wwids
FieldSelectorAttributes: 1?rawSelector 2*requirements:FieldSelectorRequirement
FieldSelectorRequirement: 1key 2operator 3*values
FlexPersistentVolumeSource: 1driver 2?fsType 3secretRef:SecretReference 4?readOnly:o 5%options
FlexVolumeSource: 1driver 2?fsType 3secretRef:LocalObjectReference 4?readOnly:o 5%options
FlockerVolumeSource: 1?datasetName 2?datasetUUID
ForNode: 1name
ForZone: 1name
GCEPersistentDiskVolumeSource: 1pdName 2?fsType 3?partition:i 4?readOnly:o
GRPCAction: 1port:i 2service
GitRepoVolumeSource: 1repository 2?revision 3?directory
GlusterfsPersistentVolumeSource: 1endpoints 2path 3?readOnly:o 4?endpointsNamespace
GlusterfsVolumeSource: 1endpoints 2path 3?readOnly:o
HPAScalingPolicy: 1type 2value:i 3periodSeconds:i
HPAScalingRules: 3stabilizationWindowSeconds:i 1?selectPolicy 2*policies:HPAScalingPolicy 4tolerance:Quantity
HTTPGetAction: 1?path 2port:IntOrString 3?host 4?scheme 5*httpHeaders:HTTPHeader
HTTPHeader: 1name 2value
HTTPIngressPath: 1?path 3pathType 2backend:IngressBackend
HTTPIngressRuleValue: 1*paths:HTTPIngressPath
HorizontalPodAutoscalerBehavior: 1scaleUp:HPAScalingRules 2scaleDown:HPAScalingRules
HorizontalPodAutoscalerCondition: 1type 2status 3lastTransitionTime:Time 4?reason 5?message
HostAlias: 1ip 2*hostnames
HostIP: 1ip
HostPathVolumeSource: 1path 2?type
IPAddress: 1metadata:ObjectMeta 2spec:IPAddressSpec
IPAddressSpec: 1parentRef:ParentReference
IPBlock: 1cidr 2*except
ISCSIPersistentVolumeSource: 1targetPortal 2iqn 3lun:i 4?iscsiInterface 5?fsType 6?readOnly:o 7*portals 8?chapAuthDiscovery:o
    11?chapAuthSession:o 10secretRef:SecretReference 12?initiatorName
ISCSIVolumeSource: 1targetPortal 2iqn 3lun:i 4?iscsiInterface 5?fsType 6?readOnly:o 7*portals 8?chapAuthDiscovery:o 11?chapAuthSession:o
    10secretRef:LocalObjectReference 12?initiatorName
ImageVolumeSource: 1?reference 2?pullPolicy
Ingress: 1metadata:ObjectMeta 2spec:IngressSpec 3status:IngressStatus
IngressBackend: 4service:IngressServiceBackend 3resource:TypedLocalObjectReference
IngressClass: 1metadata:ObjectMeta 2spec:IngressClassSpec
IngressClassParametersReference: 1apiGroup 2kind 3name 4?scope 5?namespace
IngressClassSpec: 1?controller 2parameters:IngressClassParametersReference
IngressLoadBalancerIngress: 1?ip 2?hostname 4*ports:IngressPortStatus
IngressLoadBalancerStatus: 1*ingress:IngressLoadBalancerIngress
IngressPortStatus: 1port:i 2protocol 3?error
IngressRule: 1?host 2.ingressRuleValue:IngressRuleValue
IngressRuleValue: 1http:HTTPIngressRuleValue
IngressServiceBackend: 1name 2port:ServiceBackendPort
IngressSpec: 4?ingressClassName 1defaultBackend:IngressBackend 2*tls:IngressTLS 3*rules:IngressRule
IngressStatus: 1loadBalancer:IngressLoadBalancerStatus
IngressTLS: 1*hosts 2?secretName
Job: 1metadata:ObjectMeta 2spec:JobSpec 3status:JobStatus
JobCondition: 1type 2status 3lastProbeTime:Time 4lastTransitionTime:Time 5?reason 6?message
JobSpec: 1parallelism:i 2completions:i 3activeDeadlineSeconds:i 11podFailurePolicy:PodFailurePolicy 16successPolicy:SuccessPolicy
    7backoffLimit:i 12backoffLimitPerIndex:i 13maxFailedIndexes:i 4selector:LabelSelector 5manualSelector:o 6template:PodTemplateSpec
    8ttlSecondsAfterFinished:i 9?completionMode 10suspend:o 14?podReplacementPolicy 15?managedBy
JobStatus: 1*conditions:JobCondition 2startTime:Time 3completionTime:Time 4?active:i 5?succeeded:i 6?failed:i 11terminating:i
    7?completedIndexes 10?failedIndexes 8uncountedTerminatedPods:UncountedTerminatedPods 9ready:i
JobTemplateSpec: 1metadata:ObjectMeta 2spec:JobSpec
KeyToPath: 1key 2path 3mode:i
LabelSelector: 1%matchLabels 2*matchExpressions:LabelSelectorRequirement
LabelSelectorAttributes: 1?rawSelector 2*requirements:LabelSelectorRequirement
LabelSelectorRequirement: 1key 2operator 3*values
Lease: 1metadata:ObjectMeta 2spec:LeaseSpec
LeaseSpec: 1holderIdentity 2leaseDurationSeconds:i 3acquireTime:MicroTime 4renewTime:MicroTime 5leaseTransitions:i 6strategy
    7preferredHolder
Lifecycle: 1postStart:LifecycleHandler 2preStop:LifecycleHandler 3?stopSignal
LifecycleHandler: 1exec:ExecAction 2httpGet:HTTPGetAction 3tcpSocket:TCPSocketAction 4sleep:SleepAction
LimitRange: 1metadata:ObjectMeta 2spec:LimitRangeSpec
LimitRangeItem: 1type 2%max:Quantity 3%min:Quantity 4%default:Quantity 5%defaultRequest:Quantity 6%maxLimitRequestRatio:Quantity
LimitRangeSpec: 1*limits:LimitRangeItem
LinuxContainerUser: 1uid:i 2gid:i 3*supplementalGroups:i
LoadBalancerIngress: 1?ip 2?hostname 3?ipMode 4*ports:PortStatus
LoadBalancerStatus: 1*ingress:LoadBalancerIngress
LocalObjectReference: 1?name
LocalSubjectAccessReview: 1metadata:ObjectMeta 2spec:SubjectAccessReviewSpec 3status:SubjectAccessReviewStatus
LocalVolumeSource: 1path 2?fsType
MatchCondition: 1name 2expression
MatchResources: 1namespaceSelector:LabelSelector 2objectSelector:LabelSelector 3*resourceRules:NamedRuleWithOperations
    4*excludeResourceRules:NamedRuleWithOperations 7?matchPolicy
MetricIdentifier: 1name 2selector:LabelSelector
MetricSpec: 1type 2object:ObjectMetricSource 3pods:PodsMetricSource 4resource:ResourceMetricSource
    7containerResource:ContainerResourceMetricSource 5external:ExternalMetricSource
MetricStatus: 1type 2object:ObjectMetricStatus 3pods:PodsMetricStatus 4resource:ResourceMetricStatus
    7containerResource:ContainerResourceMetricStatus 5external:ExternalMetricStatus
MetricTarget: 1type 2value:Quantity 3averageValue:Quantity 4averageUtilization:i
MetricValueStatus: 1value:Quantity 2averageValue:Quantity 3averageUtilization:i
ModifyVolumeStatus: 1?targetVolumeAttributesClassName 2status
MutatingWebhook: 1name 2clientConfig:WebhookClientConfig 3*rules:RuleWithOperations 4?failurePolicy 9?matchPolicy
    5namespaceSelector:LabelSelector 11objectSelector:LabelSelector 6sideEffects 7timeoutSeconds:i 8*admissionReviewVersions
    10?reinvocationPolicy 12*matchConditions:MatchCondition
MutatingWebhookConfiguration: 1metadata:ObjectMeta 2*webhooks:MutatingWebhook
NFSVolumeSource: 1server 2path 3?readOnly:o
NamedRuleWithOperations: 1*resourceNames 2.ruleWithOperations:RuleWithOperations
Namespace: 1metadata:ObjectMeta 2spec:NamespaceSpec 3status:NamespaceStatus
NamespaceCondition: 1type 2status 4lastTransitionTime:Time 5?reason 6?message
NamespaceSpec: 1*finalizers
NamespaceStatus: 1?phase 2*conditions:NamespaceCondition
NetworkPolicy: 1metadata:ObjectMeta 2spec:NetworkPolicySpec
NetworkPolicyEgressRule: 1*ports:NetworkPolicyPort 2*to:NetworkPolicyPeer
NetworkPolicyIngressRule: 1*ports:NetworkPolicyPort 2*from:NetworkPolicyPeer
NetworkPolicyPeer: 1podSelector:LabelSelector 2namespaceSelector:LabelSelector 3ipBlock:IPBlock
NetworkPolicyPort: 1?protocol 2port:IntOrString 3endPort:i
NetworkPolicySpec: 1podSelector:LabelSelector 2*ingress:NetworkPolicyIngressRule 3*egress:NetworkPolicyEgressRule 4*policyTypes
Node: 1metadata:ObjectMeta 2spec:NodeSpec 3status:NodeStatus
NodeAddress: 1type 2address
NodeAffinity: 1requiredDuringSchedulingIgnoredDuringExecution:NodeSelector
    2*preferredDuringSchedulingIgnoredDuringExecution:PreferredSchedulingTerm
NodeCondition: 1type 2status 3lastHeartbeatTime:Time 4lastTransitionTime:Time 5?reason 6?message
NodeConfigSource: 2configMap:ConfigMapNodeConfigSource
NodeConfigStatus: 1assigned:NodeConfigSource 2active:NodeConfigSource 3lastKnownGood:NodeConfigSource 4?error
NodeDaemonEndpoints: 1kubeletEndpoint:DaemonEndpoint
NodeFeatures: 1supplementalGroupsPolicy:o
NodeRuntimeHandler: 1?name 2features:NodeRuntimeHandlerFeatures
NodeRuntimeHandlerFeatures: 1recursiveReadOnlyMounts:o 2userNamespaces:o
NodeSelector: 1*nodeSelectorTerms:NodeSelectorTerm
NodeSelectorRequirement: 1key 2operator 3*values
NodeSelectorTerm: 1*matchExpressions:NodeSelectorRequirement 2*matchFields:NodeSelectorRequirement
NodeSpec: 1?podCIDR 7*podCIDRs 3?providerID 4?unschedulable:o 5*taints:Taint 6configSource:NodeConfigSource 2?externalID
NodeStatus: 1%capacity:Quantity 2%allocatable:Quantity 3?phase 4*conditions:NodeCondition 5*addresses:NodeAddress
    6daemonEndpoints:NodeDaemonEndpoints 7nodeInfo:NodeSystemInfo 8*images:ContainerImage 9*volumesInUse
    10*volumesAttached:AttachedVolume 11config:NodeConfigStatus 12*runtimeHandlers:NodeRuntimeHandler 13features:NodeFeatures
NodeSwapStatus: 1capacity:i
NodeSystemInfo: 1machineID 2systemUUID 3bootID 4kernelVersion 5osImage 6containerRuntimeVersion 7kubeletVersion 8kubeProxyVersion
    9operatingSystem 10architecture 11swap:NodeSwapStatus
NonResourceAttributes: 1?path 2?verb
NonResourceRule: 1*verbs 2*nonResourceURLs
ObjectFieldSelector: 1?apiVersion 2fieldPath
ObjectMeta: 1?name 2?generateName 3?namespace 4?selfLink 5?uid 6?resourceVersion 7?generation:i 8creationTimestamp:Time
    9deletionTimestamp:Time 10deletionGracePeriodSeconds:i 11%labels 12%annotations 13*ownerReferences:OwnerReference 14*finalizers
ObjectMetricSource: 1describedObject:autoscaling.v2.CrossVersionObjectReference 2target:MetricTarget 3metric:MetricIdentifier
ObjectMetricStatus: 1metric:MetricIdentifier 2current:MetricValueStatus 3describedObject:autoscaling.v2.CrossVersionObjectReference
ObjectReference: 1?kind 2?namespace 3?name 4?uid 5?apiVersion 6?resourceVersion 7?fieldPath
Overhead: 1%podFixed:Quantity
OwnerReference: 5apiVersion 1kind 3name 4uid 6controller:o 7blockOwnerDeletion:o
ParamKind: 1?apiVersion 2?kind
ParamRef: 1?name 2?namespace 3selector:LabelSelector 4?parameterNotFoundAction
ParentReference: 1?group 2resource 3?namespace 4name
PersistentVolume: 1metadata:ObjectMeta 2spec:PersistentVolumeSpec 3status:PersistentVolumeStatus
PersistentVolumeClaim: 1metadata:ObjectMeta 2spec:PersistentVolumeClaimSpec 3status:PersistentVolumeClaimStatus
PersistentVolumeClaimCondition: 1type 2status 3lastProbeTime:Time 4lastTransitionTime:Time 5?reason 6?message
PersistentVolumeClaimSpec: 1*accessModes 4selector:LabelSelector 2resources:VolumeResourceRequirements 3?volumeName 5storageClassName
    6?volumeMode 7dataSource:TypedLocalObjectReference 8dataSourceRef:TypedObjectReference 9volumeAttributesClassName
PersistentVolumeClaimStatus: 1?phase 2*accessModes 3%capacity:Quantity 4*conditions:PersistentVolumeClaimCondition
    5%allocatedResources:Quantity 7%allocatedResourceStatuses 8?currentVolumeAttributesClassName 9modifyVolumeStatus:ModifyVolumeStatus
PersistentVolumeClaimTemplate: 1metadata:ObjectMeta 2spec:PersistentVolumeClaimSpec
PersistentVolumeClaimVolumeSource: 1claimName 2?readOnly:o
PersistentVolumeSource: 1gcePersistentDisk:GCEPersistentDiskVolumeSource 2awsElasticBlockStore:AWSElasticBlockStoreVolumeSource
    3hostPath:HostPathVolumeSource 4glusterfs:GlusterfsPersistentVolumeSource 5nfs:NFSVolumeSource 6rbd:RBDPersistentVolumeSource
    7iscsi:ISCSIPersistentVolumeSource 8cinder:CinderPersistentVolumeSource 9cephfs:CephFSPersistentVolumeSource 10fc:FCVolumeSource
    11flocker:FlockerVolumeSource 12flexVolume:FlexPersistentVolumeSource 13azureFile:AzureFilePersistentVolumeSource
    14vsphereVolume:VsphereVirtualDiskVolumeSource 15quobyte:QuobyteVolumeSource 16azureDisk:AzureDiskVolumeSource
    17photonPersistentDisk:PhotonPersistentDiskVolumeSource 18portworxVolume:PortworxVolumeSource
    19scaleIO:ScaleIOPersistentVolumeSource 20local:LocalVolumeSource 21storageos:StorageOSPersistentVolumeSource
    22csi:CSIPersistentVolumeSource
PersistentVolumeSpec: 1%capacity:Quantity 2.persistentVolumeSource:PersistentVolumeSource 3*accessModes 4claimRef:ObjectReference
    5?persistentVolumeReclaimPolicy 6storageClassName 7*mountOptions 8?volumeMode 9nodeAffinity:VolumeNodeAffinity
    10volumeAttributesClassName
PersistentVolumeStatus: 1?phase 2?message 3?reason 4lastPhaseTransitionTime:Time
PhotonPersistentDiskVolumeSource: 1pdID 2?fsType
Pod: 1metadata:ObjectMeta 2spec:PodSpec 3status:PodStatus
PodAffinity: 1*requiredDuringSchedulingIgnoredDuringExecution:PodAffinityTerm
    2*preferredDuringSchedulingIgnoredDuringExecution:WeightedPodAffinityTerm
PodAffinityTerm: 1labelSelector:LabelSelector 2*namespaces 3topologyKey 4namespaceSelector:LabelSelector 5*matchLabelKeys
    6*mismatchLabelKeys
PodAntiAffinity: 1*requiredDuringSchedulingIgnoredDuringExecution:PodAffinityTerm
    2*preferredDuringSchedulingIgnoredDuringExecution:WeightedPodAffinityTerm
PodCondition: 1type 7?observedGeneration:i 2status 3lastProbeTime:Time 4lastTransitionTime:Time 5?reason 6?message
PodDNSConfig: 1*nameservers 2*searches 3*options:PodDNSConfigOption
PodDNSConfigOption: 1?name 2?value
PodDisruptionBudget: 1metadata:ObjectMeta 2spec:PodDisruptionBudgetSpec 3status:PodDisruptionBudgetStatus
PodDisruptionBudgetSpec: 1minAvailable:IntOrString 2selector:LabelSelector 3maxUnavailable:IntOrString 4?unhealthyPodEvictionPolicy
PodDisruptionBudgetStatus: 1?observedGeneration:i 2%disruptedPods:Time 3disruptionsAllowed:i 4currentHealthy:i 5desiredHealthy:i
    6expectedPods:i 7*conditions:Condition
PodFailurePolicy: 1*rules:PodFailurePolicyRule
PodFailurePolicyOnExitCodesRequirement: 1?containerName 2operator 3*values:i
PodFailurePolicyOnPodConditionsPattern: 1type 2status
PodFailurePolicyRule: 1action 2onExitCodes:PodFailurePolicyOnExitCodesRequirement
    3*onPodConditions:PodFailurePolicyOnPodConditionsPattern
PodIP: 1ip
PodOS: 1name
PodReadinessGate: 1conditionType
PodResourceClaim: 1name 3?resourceClaimName 4?resourceClaimTemplateName
PodResourceClaimStatus: 1name 2?resourceClaimName
PodSchedulingGate: 1name
PodSecurityContext: 1seLinuxOptions:SELinuxOptions 8windowsOptions:WindowsSecurityContextOptions 2runAsUser:i 6runAsGroup:i
    3runAsNonRoot:o 4*supplementalGroups:i 12?supplementalGroupsPolicy 5fsGroup:i 7*sysctls:Sysctl 9?fsGroupChangePolicy
    10seccompProfile:SeccompProfile 11appArmorProfile:AppArmorProfile 13?seLinuxChangePolicy
PodSpec: 1*volumes:Volume 20*initContainers:Container 2*containers:Container 34*ephemeralContainers:EphemeralContainer 3?restartPolicy
    4terminationGracePeriodSeconds:i 5activeDeadlineSeconds:i 6?dnsPolicy 7%nodeSelector 8?serviceAccountName 9?serviceAccount
    21automountServiceAccountToken:o 10?nodeName 11?hostNetwork:o 12?hostPID:o 13?hostIPC:o 27shareProcessNamespace:o
    14securityContext:PodSecurityContext 15*imagePullSecrets:LocalObjectReference 16?hostname 17?subdomain 18affinity:Affinity
    19?schedulerName 22*tolerations:Toleration 23*hostAliases:HostAlias 24?priorityClassName 25priority:i 26dnsConfig:PodDNSConfig
    28*readinessGates:PodReadinessGate 29?runtimeClassName 30enableServiceLinks:o 31?preemptionPolicy 32%overhead:Quantity
    33*topologySpreadConstraints:TopologySpreadConstraint 35setHostnameAsFQDN:o 36os:PodOS 37hostUsers:o
    38*schedulingGates:PodSchedulingGate 39*resourceClaims:PodResourceClaim 40resources:ResourceRequirements
PodStatus: 17?observedGeneration:i 1?phase 2*conditions:PodCondition 3?message 4?reason 11?nominatedNodeName 5?hostIP 16*hostIPs:HostIP
    6?podIP 12*podIPs:PodIP 7startTime:Time 10*initContainerStatuses:ContainerStatus 8*containerStatuses:ContainerStatus 9?qosClass
    13*ephemeralContainerStatuses:ContainerStatus 14?resize 15*resourceClaimStatuses:PodResourceClaimStatus
PodTemplate: 1metadata:ObjectMeta 2template:PodTemplateSpec
PodTemplateSpec: 1metadata:ObjectMeta 2spec:PodSpec
PodsMetricSource: 1metric:MetricIdentifier 2target:MetricTarget
PodsMetricStatus: 1metric:MetricIdentifier 2current:MetricValueStatus
PolicyRule: 1*verbs 2*apiGroups 3*resources 4*resourceNames 5*nonResourceURLs
PortStatus: 1port:i 2protocol 3?error
PortworxVolumeSource: 1volumeID 2?fsType 3?readOnly:o
Preconditions: 1?uid 2?resourceVersion
PreferredSchedulingTerm: 1weight:i 2preference:NodeSelectorTerm
PriorityClass: 1metadata:ObjectMeta 2value:i 3?globalDefault:o 4?description 5?preemptionPolicy
Probe: 1.handler:ProbeHandler 2?initialDelaySeconds:i 3?timeoutSeconds:i 4?periodSeconds:i 5?successThreshold:i 6?failureThreshold:i
    7terminationGracePeriodSeconds:i
ProbeHandler: 1exec:ExecAction 2httpGet:HTTPGetAction 3tcpSocket:TCPSocketAction 4grpc:GRPCAction
ProjectedVolumeSource: 1*sources:VolumeProjection 2defaultMode:i
QuobyteVolumeSource: 1registry 2volume 3?readOnly:o 4?user 5?group 6?tenant
RBDPersistentVolumeSource: 1*monitors 2image 3?fsType 4?pool 5?user 6?keyring 7secretRef:SecretReference 8?readOnly:o
RBDVolumeSource: 1*monitors 2image 3?fsType 4?pool 5?user 6?keyring 7secretRef:LocalObjectReference 8?readOnly:o
ReplicaSet: 1metadata:ObjectMeta 2spec:ReplicaSetSpec 3status:ReplicaSetStatus
ReplicaSetCondition: 1type 2status 3lastTransitionTime:Time 4?reason 5?message
ReplicaSetSpec: 1replicas:i 4?minReadySeconds:i 2selector:LabelSelector 3template:PodTemplateSpec
ReplicaSetStatus: 1replicas:i 2?fullyLabeledReplicas:i 4?readyReplicas:i 5?availableReplicas:i 7terminatingReplicas:i
    3?observedGeneration:i 6*conditions:ReplicaSetCondition
ReplicationController: 1metadata:ObjectMeta 2spec:ReplicationControllerSpec 3status:ReplicationControllerStatus
ReplicationControllerCondition: 1type 2status 3lastTransitionTime:Time 4?reason 5?message
ReplicationControllerSpec: 1replicas:i 4?minReadySeconds:i 2%selector 3template:PodTemplateSpec
ReplicationControllerStatus: 1replicas:i 2?fullyLabeledReplicas:i 4?readyReplicas:i 5?availableReplicas:i 3?observedGeneration:i
    6*conditions:ReplicationControllerCondition
ResourceAttributes: 1?namespace 2?verb 3?group 4?version 5?resource 6?subresource 7?name 8fieldSelector:FieldSelectorAttributes
    9labelSelector:LabelSelectorAttributes
ResourceClaim: 1name 2?request
ResourceFieldSelector: 1?containerName 2resource 3divisor:Quantity
ResourceHealth: 1resourceID 2?health
ResourceMetricSource: 1name 2target:MetricTarget
ResourceMetricStatus: 1name 2current:MetricValueStatus
ResourceQuota: 1metadata:ObjectMeta 2spec:ResourceQuotaSpec 3status:ResourceQuotaStatus
ResourceQuotaSpec: 1%hard:Quantity 2*scopes 3scopeSelector:ScopeSelector
ResourceQuotaStatus: 1%hard:Quantity 2%used:Quantity
ResourceRequirements: 1%limits:Quantity 2%requests:Quantity 3*claims:ResourceClaim
ResourceRule: 1*verbs 2*apiGroups 3*resources 4*resourceNames
ResourceStatus: 1name 2*resources:ResourceHealth
Role: 1metadata:ObjectMeta 2*rules:PolicyRule
RoleBinding: 1metadata:ObjectMeta 2*subjects:Subject 3roleRef:RoleRef
RoleRef: 1apiGroup 2kind 3name
RollingUpdateDaemonSet: 1maxUnavailable:IntOrString 2maxSurge:IntOrString
RollingUpdateDeployment: 1maxUnavailable:IntOrString 2maxSurge:IntOrString
RollingUpdateStatefulSetStrategy: 1partition:i 2maxUnavailable:IntOrString
Rule: 1*apiGroups 2*apiVersions 3*resources 4?scope
RuleWithOperations: 1*operations 2.rule:Rule
RuntimeClass: 1metadata:ObjectMeta 2handler 3overhead:Overhead 4scheduling:Scheduling
SELinuxOptions: 1?user 2?role 3?type 4?level
Scale: 1metadata:ObjectMeta 2spec:ScaleSpec 3status:ScaleStatus
ScaleIOPersistentVolumeSource: 1gateway 2system 3secretRef:SecretReference 4?sslEnabled:o 5?protectionDomain 6?storagePool 7?storageMode
    8?volumeName 9?fsType 10?readOnly:o
ScaleIOVolumeSource: 1gateway 2system 3secretRef:LocalObjectReference 4?sslEnabled:o 5?protectionDomain 6?storagePool 7?storageMode
    8?volumeName 9?fsType 10?readOnly:o
ScaleSpec: 1?replicas:i
ScaleStatus: 1replicas:i 2?selector
Scheduling: 1%nodeSelector 2*tolerations:Toleration
ScopeSelector: 1*matchExpressions:ScopedResourceSelectorRequirement
ScopedResourceSelectorRequirement: 1scopeName 2operator 3*values
SeccompProfile: 1type 2?localhostProfile
Secret: 1metadata:ObjectMeta 5immutable:o 2%data:b 4%stringData 3?type
SecretEnvSource: 1.localObjectReference:LocalObjectReference 2optional:o
SecretKeySelector: 1.localObjectReference:LocalObjectReference 2key 3optional:o
SecretProjection: 1.localObjectReference:LocalObjectReference 2*items:KeyToPath 4optional:o
SecretReference: 1?name 2?namespace
SecretVolumeSource: 1?secretName 2*items:KeyToPath 3defaultMode:i 4optional:o
SecurityContext: 1capabilities:Capabilities 2privileged:o 3seLinuxOptions:SELinuxOptions 10windowsOptions:WindowsSecurityContextOptions
    4runAsUser:i 8runAsGroup:i 5runAsNonRoot:o 6readOnlyRootFilesystem:o 7allowPrivilegeEscalation:o 9?procMount
    11seccompProfile:SeccompProfile 12appArmorProfile:AppArmorProfile
SelfSubjectAccessReview: 1metadata:ObjectMeta 2spec:SelfSubjectAccessReviewSpec 3status:SubjectAccessReviewStatus
SelfSubjectAccessReviewSpec: 1resourceAttributes:ResourceAttributes 2nonResourceAttributes:NonResourceAttributes
SelfSubjectReview: 1metadata:ObjectMeta 2status:SelfSubjectReviewStatus
SelfSubjectReviewStatus: 1userInfo:UserInfo
SelfSubjectRulesReview: 1metadata:ObjectMeta 2spec:SelfSubjectRulesReviewSpec 3status:SubjectRulesReviewStatus
SelfSubjectRulesReviewSpec: 1?namespace
Service: 1metadata:ObjectMeta 2spec:ServiceSpec 3status:ServiceStatus
ServiceAccount: 1metadata:ObjectMeta 2*secrets:ObjectReference 3*imagePullSecrets:LocalObjectReference 4automountServiceAccountToken:o
ServiceAccountTokenProjection: 1?audience 2expirationSeconds:i 3path
ServiceBackendPort: 1?name 2?number:i
ServiceCIDR: 1metadata:ObjectMeta 2spec:ServiceCIDRSpec 3status:ServiceCIDRStatus
ServiceCIDRSpec: 1*cidrs
ServiceCIDRStatus: 1*conditions:Condition
ServicePort: 1?name 2?protocol 6?appProtocol 3port:i 4targetPort:IntOrString 5?nodePort:i
ServiceReference: 1namespace 2name 3?path 4port:i
ServiceSpec: 1*ports:ServicePort 2%selector 3?clusterIP 18*clusterIPs 4?type 5*externalIPs 7?sessionAffinity 8?loadBalancerIP
    9*loadBalancerSourceRanges 10?externalName 11?externalTrafficPolicy 12?healthCheckNodePort:i 13?publishNotReadyAddresses:o
    14sessionAffinityConfig:SessionAffinityConfig 19*ipFamilies 17?ipFamilyPolicy 20allocateLoadBalancerNodePorts:o 21?loadBalancerClass
    22?internalTrafficPolicy 23?trafficDistribution
ServiceStatus: 1loadBalancer:LoadBalancerStatus 2*conditions:Condition
SessionAffinityConfig: 1clientIP:ClientIPConfig
SleepAction: 1seconds:i
StatefulSet: 1metadata:ObjectMeta 2spec:StatefulSetSpec 3status:StatefulSetStatus
StatefulSetCondition: 1type 2status 3lastTransitionTime:Time 4?reason 5?message
StatefulSetOrdinals: 1?start:i
StatefulSetPersistentVolumeClaimRetentionPolicy: 1?whenDeleted 2?whenScaled
StatefulSetSpec: 1replicas:i 2selector:LabelSelector 3template:PodTemplateSpec 4*volumeClaimTemplates:PersistentVolumeClaim
    5?serviceName 6?podManagementPolicy 7updateStrategy:StatefulSetUpdateStrategy 8revisionHistoryLimit:i 9?minReadySeconds:i
    10persistentVolumeClaimRetentionPolicy:StatefulSetPersistentVolumeClaimRetentionPolicy 11ordinals:StatefulSetOrdinals
StatefulSetStatus: 1?observedGeneration:i 2replicas:i 3?readyReplicas:i 4?currentReplicas:i 5?updatedReplicas:i 6?currentRevision
    7?updateRevision 9collisionCount:i 10*conditions:StatefulSetCondition 11?availableReplicas:i
StatefulSetUpdateStrategy: 1?type 2rollingUpdate:RollingUpdateStatefulSetStrategy
StorageClass: 1metadata:ObjectMeta 2provisioner 3%parameters 4?reclaimPolicy 5*mountOptions 6allowVolumeExpansion:o 7?volumeBindingMode
    8*allowedTopologies:TopologySelectorTerm
StorageOSPersistentVolumeSource: 1?volumeName 2?volumeNamespace 3?fsType 4?readOnly:o 5secretRef:ObjectReference
StorageOSVolumeSource: 1?volumeName 2?volumeNamespace 3?fsType 4?readOnly:o 5secretRef:LocalObjectReference
Subject: 1kind 2?apiGroup 3name 4?namespace
SubjectAccessReview: 1metadata:ObjectMeta 2spec:SubjectAccessReviewSpec 3status:SubjectAccessReviewStatus
SubjectAccessReviewSpec: 1resourceAttributes:ResourceAttributes 2nonResourceAttributes:NonResourceAttributes 3?user 4*groups
    5%extra:ExtraValue 6?uid
SubjectAccessReviewStatus: 1allowed:o 4?denied:o 2?reason 3?evaluationError
SubjectRulesReviewStatus: 1*resourceRules:ResourceRule 2*nonResourceRules:NonResourceRule 3incomplete:o 4?evaluationError
SuccessPolicy: 1*rules:SuccessPolicyRule
SuccessPolicyRule: 1?succeededIndexes 2succeededCount:i
Sysctl: 1name 2value
TCPSocketAction: 1port:IntOrString 2?host
Taint: 1key 2?value 3effect 4timeAdded:Time
TokenRequestSpec: 1*audiences 4expirationSeconds:i 3boundObjectRef:BoundObjectReference
TokenRequestStatus: 1token 2expirationTimestamp:Time
TokenReview: 1metadata:ObjectMeta 2spec:TokenReviewSpec 3status:TokenReviewStatus
TokenReviewSpec: 1?token 2*audiences
TokenReviewStatus: 1?authenticated:o 2user:UserInfo 4*audiences 3?error
Toleration: 1?key 2?operator 3?value 4?effect 5tolerationSeconds:i
TopologySelectorLabelRequirement: 1key 2*values
TopologySelectorTerm: 1*matchLabelExpressions:TopologySelectorLabelRequirement
TopologySpreadConstraint: 1maxSkew:i 2topologyKey 3whenUnsatisfiable 4labelSelector:LabelSelector 5minDomains:i 6?nodeAffinityPolicy
    7?nodeTaintsPolicy 8*matchLabelKeys
TypeChecking: 1*expressionWarnings:ExpressionWarning
TypedLocalObjectReference: 1apiGroup 2kind 3name
TypedObjectReference: 1apiGroup 2kind 3name 4?namespace
UncountedTerminatedPods: 1*succeeded 2*failed
UserInfo: 1?username 2?uid 3*groups 4%extra:ExtraValue
ValidatingAdmissionPolicy: 1metadata:ObjectMeta 2spec:ValidatingAdmissionPolicySpec 3status:ValidatingAdmissionPolicyStatus
ValidatingAdmissionPolicyBinding: 1metadata:ObjectMeta 2spec:ValidatingAdmissionPolicyBindingSpec
ValidatingAdmissionPolicyBindingSpec: 1?policyName 2paramRef:ParamRef 3matchResources:MatchResources 4*validationActions
ValidatingAdmissionPolicySpec: 1paramKind:ParamKind 2matchConstraints:MatchResources 3*validations:Validation 4?failurePolicy
    5*auditAnnotations:AuditAnnotation 6*matchConditions:MatchCondition 7*variables:Variable
ValidatingAdmissionPolicyStatus: 1?observedGeneration:i 2typeChecking:TypeChecking 3*conditions:Condition
ValidatingWebhook: 1name 2clientConfig:WebhookClientConfig 3*rules:RuleWithOperations 4?failurePolicy 9?matchPolicy
    5namespaceSelector:LabelSelector 10objectSelector:LabelSelector 6sideEffects 7timeoutSeconds:i 8*admissionReviewVersions
    11*matchConditions:MatchCondition
ValidatingWebhookConfiguration: 1metadata:ObjectMeta 2*webhooks:ValidatingWebhook
Validation: 1expression 2?message 3?reason 4?messageExpression
Variable: 1name 2expression
Volume: 1name 2.volumeSource:VolumeSource
VolumeAttachment: 1metadata:ObjectMeta 2spec:VolumeAttachmentSpec 3status:VolumeAttachmentStatus
VolumeAttachmentSource: 1?persistentVolumeName 2inlineVolumeSpec:PersistentVolumeSpec
VolumeAttachmentSpec: 1attacher 2source:VolumeAttachmentSource 3nodeName
VolumeAttachmentStatus: 1attached:o 2%attachmentMetadata 3attachError:VolumeError 4detachError:VolumeError
VolumeDevice: 1name 2devicePath
VolumeError: 1time:Time 2?message 3errorCode:i
VolumeMount: 1name 2?readOnly:o 7?recursiveReadOnly 3mountPath 4?subPath 5?mountPropagation 6?subPathExpr
VolumeMountStatus: 1name 2mountPath 3?readOnly:o 4?recursiveReadOnly
VolumeNodeAffinity: 1required:NodeSelector
VolumeNodeResources: 1?count:i
VolumeProjection: 1secret:SecretProjection 2downwardAPI:DownwardAPIProjection 3configMap:ConfigMapProjection
    4serviceAccountToken:ServiceAccountTokenProjection 5clusterTrustBundle:ClusterTrustBundleProjection
VolumeResourceRequirements: 1%limits:Quantity 2%requests:Quantity
VolumeSource: 1hostPath:HostPathVolumeSource 2emptyDir:EmptyDirVolumeSource 3gcePersistentDisk:GCEPersistentDiskVolumeSource
    4awsElasticBlockStore:AWSElasticBlockStoreVolumeSource 5gitRepo:GitRepoVolumeSource 6secret:SecretVolumeSource 7nfs:NFSVolumeSource
    8iscsi:ISCSIVolumeSource 9glusterfs:GlusterfsVolumeSource 10persistentVolumeClaim:PersistentVolumeClaimVolumeSource
    11rbd:RBDVolumeSource 12flexVolume:FlexVolumeSource 13cinder:CinderVolumeSource 14cephfs:CephFSVolumeSource
    15flocker:FlockerVolumeSource 16downwardAPI:DownwardAPIVolumeSource 17fc:FCVolumeSource 18azureFile:AzureFileVolumeSource
    19configMap:ConfigMapVolumeSource 20vsphereVolume:VsphereVirtualDiskVolumeSource 21quobyte:QuobyteVolumeSource
    22azureDisk:AzureDiskVolumeSource 23photonPersistentDisk:PhotonPersistentDiskVolumeSource 26projected:ProjectedVolumeSource
    24portworxVolume:PortworxVolumeSource 25scaleIO:ScaleIOVolumeSource 27storageos:StorageOSVolumeSource 28csi:CSIVolumeSource
    29ephemeral:EphemeralVolumeSource 30image:ImageVolumeSource
VsphereVirtualDiskVolumeSource: 1volumePath 2?fsType 3?storagePolicyName 4?storagePolicyID
WebhookClientConfig: 3?url 1service:ServiceReference 2?caBundle:b
WeightedPodAffinityTerm: 1weight:i 2podAffinityTerm:PodAffinityTerm
WindowsSecurityContextOptions: 1?gmsaCredentialSpecName 2?gmsaCredentialSpec 3?runAsUserName 4hostProcess:o
authentication.v1.TokenRequest: 1metadata:ObjectMeta 2spec:TokenRequestSpec 3status:TokenRequestStatus
autoscaling.v1.CrossVersionObjectReference: 1kind 2name 3?apiVersion
autoscaling.v1.HorizontalPodAutoscaler: 1metadata:ObjectMeta 2spec:autoscaling.v1.HorizontalPodAutoscalerSpec
    3status:autoscaling.v1.HorizontalPodAutoscalerStatus
autoscaling.v1.HorizontalPodAutoscalerSpec: 1scaleTargetRef:autoscaling.v1.CrossVersionObjectReference 2minReplicas:i 3maxReplicas:i
    4targetCPUUtilizationPercentage:i
autoscaling.v1.HorizontalPodAutoscalerStatus: 1?observedGeneration:i 2lastScaleTime:Time 3currentReplicas:i 4desiredReplicas:i
    5currentCPUUtilizationPercentage:i
autoscaling.v2.CrossVersionObjectReference: 1kind 2name 3?apiVersion
autoscaling.v2.HorizontalPodAutoscaler: 1metadata:ObjectMeta 2spec:autoscaling.v2.HorizontalPodAutoscalerSpec
    3status:autoscaling.v2.HorizontalPodAutoscalerStatus
autoscaling.v2.HorizontalPodAutoscalerSpec: 1scaleTargetRef:autoscaling.v2.CrossVersionObjectReference 2minReplicas:i 3maxReplicas:i
    4*metrics:MetricSpec 5behavior:HorizontalPodAutoscalerBehavior
autoscaling.v2.HorizontalPodAutoscalerStatus: 1?observedGeneration:i 2lastScaleTime:Time 3?currentReplicas:i 4desiredReplicas:i
    5*currentMetrics:MetricStatus 6*conditions:HorizontalPodAutoscalerCondition
discovery.v1.EndpointPort: 1name 2?protocol 3port:i 4?appProtocol
events.v1.Event: 1metadata:ObjectMeta 2eventTime:MicroTime 3series:events.v1.EventSeries 4?reportingController 5?reportingInstance
    6?action 7?reason 8regarding:ObjectReference 9related:ObjectReference 10?note 11?type 12deprecatedSource:EventSource
    13deprecatedFirstTimestamp:Time 14deprecatedLastTimestamp:Time 15?deprecatedCount:i
events.v1.EventSeries: 1count:i 2lastObservedTime:MicroTime
storage.v1.TokenRequest: 1audience 2expirationSeconds:i
"""

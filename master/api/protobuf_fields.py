"""Field numbers of Kubernetes' messages: number to JSON field, for `protobuf.py`. Written by script/protobuf_fields.py.

One line a message (longer ones go on indented): `number flags name:Type` without spaces between. Type: nothing for a string,
`i` a whole number, `o` a boolean, `b` bytes, else a message. Flags: `*` repeated, `%` a map from strings, `.` a struct whose fields
stand in the parent, `?` left out when zero or empty, as Go's JSON does.
A field that is not here is skipped: newer than the served version, or the server's own (managedFields).
"""

TABLE = """\
AWSElasticBlockStoreVolumeSource: 1volumeID 2?fsType 3?partition:i 4?readOnly:o
Affinity: 1nodeAffinity:NodeAffinity 2podAffinity:PodAffinity 3podAntiAffinity:PodAntiAffinity
AppArmorProfile: 1type 2?localhostProfile
AttachedVolume: 1name 2devicePath
AzureDiskVolumeSource: 1diskName 2diskURI 3?cachingMode 4?fsType 5?readOnly:o 6?kind
AzureFileVolumeSource: 1secretName 2shareName 3?readOnly:o
Binding: 1metadata:ObjectMeta 2target:ObjectReference
CSIVolumeSource: 1driver 2?readOnly:o 3?fsType 4%volumeAttributes 5nodePublishSecretRef:LocalObjectReference
Capabilities: 1*add 2*drop
CephFSVolumeSource: 1*monitors 2?path 3?user 4?secretFile 5secretRef:LocalObjectReference 6?readOnly:o
CinderVolumeSource: 1volumeID 2?fsType 3?readOnly:o 4secretRef:LocalObjectReference
ClientIPConfig: 1timeoutSeconds:i
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
ContainerState: 1waiting:ContainerStateWaiting 2running:ContainerStateRunning 3terminated:ContainerStateTerminated
ContainerStateRunning: 1startedAt:Time
ContainerStateTerminated: 1exitCode:i 2?signal:i 3?reason 4?message 5startedAt:Time 6finishedAt:Time 7?containerID
ContainerStateWaiting: 1?reason 2?message
ContainerStatus: 1name 2state:ContainerState 3lastState:ContainerState 4ready:o 5restartCount:i 6image 7imageID 8?containerID 9started:o
    10%allocatedResources:Quantity 11resources:ResourceRequirements 12*volumeMounts:VolumeMountStatus 13user:ContainerUser
    14*allocatedResourcesStatus:ResourceStatus
ContainerUser: 1linux:LinuxContainerUser
DaemonEndpoint: 1Port:i
DeleteOptions: 1gracePeriodSeconds:i 2preconditions:Preconditions 3orphanDependents:o 4?propagationPolicy 5*dryRun
    6ignoreStoreReadErrorWithClusterBreakingPotential:o
DownwardAPIProjection: 1*items:DownwardAPIVolumeFile
DownwardAPIVolumeFile: 1path 2fieldRef:ObjectFieldSelector 3resourceFieldRef:ResourceFieldSelector 4mode:i
DownwardAPIVolumeSource: 1*items:DownwardAPIVolumeFile 2defaultMode:i
EmptyDirVolumeSource: 1?medium 2sizeLimit:Quantity
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
ExecAction: 1*command
FCVolumeSource: 1*targetWWNs 2lun:i 3?fsType 4?readOnly:o 5*wwids
FlexVolumeSource: 1driver 2?fsType 3secretRef:LocalObjectReference 4?readOnly:o 5%options
FlockerVolumeSource: 1?datasetName 2?datasetUUID
GCEPersistentDiskVolumeSource: 1pdName 2?fsType 3?partition:i 4?readOnly:o
GRPCAction: 1port:i 2service
GitRepoVolumeSource: 1repository 2?revision 3?directory
GlusterfsVolumeSource: 1endpoints 2path 3?readOnly:o
HTTPGetAction: 1?path 2port:IntOrString 3?host 4?scheme 5*httpHeaders:HTTPHeader
HTTPHeader: 1name 2value
HostAlias: 1ip 2*hostnames
HostIP: 1ip
HostPathVolumeSource: 1path 2?type
ISCSIVolumeSource: 1targetPortal 2iqn 3lun:i 4?iscsiInterface 5?fsType 6?readOnly:o 7*portals 8?chapAuthDiscovery:o 11?chapAuthSession:o
    10secretRef:LocalObjectReference 12?initiatorName
ImageVolumeSource: 1?reference 2?pullPolicy
KeyToPath: 1key 2path 3mode:i
LabelSelector: 1%matchLabels 2*matchExpressions:LabelSelectorRequirement
LabelSelectorRequirement: 1key 2operator 3*values
Lifecycle: 1postStart:LifecycleHandler 2preStop:LifecycleHandler
LifecycleHandler: 1exec:ExecAction 2httpGet:HTTPGetAction 3tcpSocket:TCPSocketAction 4sleep:SleepAction
LinuxContainerUser: 1uid:i 2gid:i 3*supplementalGroups:i
LoadBalancerIngress: 1?ip 2?hostname 3?ipMode 4*ports:PortStatus
LoadBalancerStatus: 1*ingress:LoadBalancerIngress
LocalObjectReference: 1?name
NFSVolumeSource: 1server 2path 3?readOnly:o
Namespace: 1metadata:ObjectMeta 2spec:NamespaceSpec 3status:NamespaceStatus
NamespaceCondition: 1type 2status 4lastTransitionTime:Time 5?reason 6?message
NamespaceSpec: 1*finalizers
NamespaceStatus: 1?phase 2*conditions:NamespaceCondition
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
NodeSystemInfo: 1machineID 2systemUUID 3bootID 4kernelVersion 5osImage 6containerRuntimeVersion 7kubeletVersion 8kubeProxyVersion
    9operatingSystem 10architecture
ObjectFieldSelector: 1?apiVersion 2fieldPath
ObjectMeta: 1?name 2?generateName 3?namespace 4?selfLink 5?uid 6?resourceVersion 7?generation:i 8creationTimestamp:Time
    9deletionTimestamp:Time 10deletionGracePeriodSeconds:i 11%labels 12%annotations 13*ownerReferences:OwnerReference 14*finalizers
ObjectReference: 1?kind 2?namespace 3?name 4?uid 5?apiVersion 6?resourceVersion 7?fieldPath
OwnerReference: 5apiVersion 1kind 3name 4uid 6controller:o 7blockOwnerDeletion:o
PersistentVolumeClaimSpec: 1*accessModes 4selector:LabelSelector 2resources:VolumeResourceRequirements 3?volumeName 5storageClassName
    6?volumeMode 7dataSource:TypedLocalObjectReference 8dataSourceRef:TypedObjectReference 9volumeAttributesClassName
PersistentVolumeClaimTemplate: 1metadata:ObjectMeta 2spec:PersistentVolumeClaimSpec
PersistentVolumeClaimVolumeSource: 1claimName 2?readOnly:o
PhotonPersistentDiskVolumeSource: 1pdID 2?fsType
Pod: 1metadata:ObjectMeta 2spec:PodSpec 3status:PodStatus
PodAffinity: 1*requiredDuringSchedulingIgnoredDuringExecution:PodAffinityTerm
    2*preferredDuringSchedulingIgnoredDuringExecution:WeightedPodAffinityTerm
PodAffinityTerm: 1labelSelector:LabelSelector 2*namespaces 3topologyKey 4namespaceSelector:LabelSelector 5*matchLabelKeys
    6*mismatchLabelKeys
PodAntiAffinity: 1*requiredDuringSchedulingIgnoredDuringExecution:PodAffinityTerm
    2*preferredDuringSchedulingIgnoredDuringExecution:WeightedPodAffinityTerm
PodCondition: 1type 2status 3lastProbeTime:Time 4lastTransitionTime:Time 5?reason 6?message
PodDNSConfig: 1*nameservers 2*searches 3*options:PodDNSConfigOption
PodDNSConfigOption: 1?name 2?value
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
PodStatus: 1?phase 2*conditions:PodCondition 3?message 4?reason 11?nominatedNodeName 5?hostIP 16*hostIPs:HostIP 6?podIP 12*podIPs:PodIP
    7startTime:Time 10*initContainerStatuses:ContainerStatus 8*containerStatuses:ContainerStatus 9?qosClass
    13*ephemeralContainerStatuses:ContainerStatus 14?resize 15*resourceClaimStatuses:PodResourceClaimStatus
PodTemplateSpec: 1metadata:ObjectMeta 2spec:PodSpec
PortStatus: 1port:i 2protocol 3?error
PortworxVolumeSource: 1volumeID 2?fsType 3?readOnly:o
Preconditions: 1?uid 2?resourceVersion
PreferredSchedulingTerm: 1weight:i 2preference:NodeSelectorTerm
Probe: 1.handler:ProbeHandler 2?initialDelaySeconds:i 3?timeoutSeconds:i 4?periodSeconds:i 5?successThreshold:i 6?failureThreshold:i
    7terminationGracePeriodSeconds:i
ProbeHandler: 1exec:ExecAction 2httpGet:HTTPGetAction 3tcpSocket:TCPSocketAction 4grpc:GRPCAction
ProjectedVolumeSource: 1*sources:VolumeProjection 2defaultMode:i
QuobyteVolumeSource: 1registry 2volume 3?readOnly:o 4?user 5?group 6?tenant
RBDVolumeSource: 1*monitors 2image 3?fsType 4?pool 5?user 6?keyring 7secretRef:LocalObjectReference 8?readOnly:o
ResourceClaim: 1name 2?request
ResourceFieldSelector: 1?containerName 2resource 3divisor:Quantity
ResourceHealth: 1resourceID 2?health
ResourceRequirements: 1%limits:Quantity 2%requests:Quantity 3*claims:ResourceClaim
ResourceStatus: 1name 2*resources:ResourceHealth
SELinuxOptions: 1?user 2?role 3?type 4?level
ScaleIOVolumeSource: 1gateway 2system 3secretRef:LocalObjectReference 4?sslEnabled:o 5?protectionDomain 6?storagePool 7?storageMode
    8?volumeName 9?fsType 10?readOnly:o
SeccompProfile: 1type 2?localhostProfile
Secret: 1metadata:ObjectMeta 5immutable:o 2%data:b 4%stringData 3?type
SecretEnvSource: 1.localObjectReference:LocalObjectReference 2optional:o
SecretKeySelector: 1.localObjectReference:LocalObjectReference 2key 3optional:o
SecretProjection: 1.localObjectReference:LocalObjectReference 2*items:KeyToPath 4optional:o
SecretVolumeSource: 1?secretName 2*items:KeyToPath 3defaultMode:i 4optional:o
SecurityContext: 1capabilities:Capabilities 2privileged:o 3seLinuxOptions:SELinuxOptions 10windowsOptions:WindowsSecurityContextOptions
    4runAsUser:i 8runAsGroup:i 5runAsNonRoot:o 6readOnlyRootFilesystem:o 7allowPrivilegeEscalation:o 9?procMount
    11seccompProfile:SeccompProfile 12appArmorProfile:AppArmorProfile
Service: 1metadata:ObjectMeta 2spec:ServiceSpec 3status:ServiceStatus
ServiceAccount: 1metadata:ObjectMeta 2*secrets:ObjectReference 3*imagePullSecrets:LocalObjectReference 4automountServiceAccountToken:o
ServiceAccountTokenProjection: 1?audience 2expirationSeconds:i 3path
ServicePort: 1?name 2?protocol 6?appProtocol 3port:i 4targetPort:IntOrString 5?nodePort:i
ServiceSpec: 1*ports:ServicePort 2%selector 3?clusterIP 18*clusterIPs 4?type 5*externalIPs 7?sessionAffinity 8?loadBalancerIP
    9*loadBalancerSourceRanges 10?externalName 11?externalTrafficPolicy 12?healthCheckNodePort:i 13?publishNotReadyAddresses:o
    14sessionAffinityConfig:SessionAffinityConfig 19*ipFamilies 17?ipFamilyPolicy 20allocateLoadBalancerNodePorts:o 21?loadBalancerClass
    22?internalTrafficPolicy 23?trafficDistribution
ServiceStatus: 1loadBalancer:LoadBalancerStatus 2*conditions:Condition
SessionAffinityConfig: 1clientIP:ClientIPConfig
SleepAction: 1seconds:i
StorageOSVolumeSource: 1?volumeName 2?volumeNamespace 3?fsType 4?readOnly:o 5secretRef:LocalObjectReference
Sysctl: 1name 2value
TCPSocketAction: 1port:IntOrString 2?host
Taint: 1key 2?value 3effect 4timeAdded:Time
Toleration: 1?key 2?operator 3?value 4?effect 5tolerationSeconds:i
TopologySpreadConstraint: 1maxSkew:i 2topologyKey 3whenUnsatisfiable 4labelSelector:LabelSelector 5minDomains:i 6?nodeAffinityPolicy
    7?nodeTaintsPolicy 8*matchLabelKeys
TypedLocalObjectReference: 1apiGroup 2kind 3name
TypedObjectReference: 1apiGroup 2kind 3name 4?namespace
Volume: 1name 2.volumeSource:VolumeSource
VolumeDevice: 1name 2devicePath
VolumeMount: 1name 2?readOnly:o 7?recursiveReadOnly 3mountPath 4?subPath 5?mountPropagation 6?subPathExpr
VolumeMountStatus: 1name 2mountPath 3?readOnly:o 4?recursiveReadOnly
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
WeightedPodAffinityTerm: 1weight:i 2podAffinityTerm:PodAffinityTerm
WindowsSecurityContextOptions: 1?gmsaCredentialSpecName 2?gmsaCredentialSpec 3?runAsUserName 4hostProcess:o
Deployment: 1metadata:ObjectMeta 2spec:DeploymentSpec 3status:DeploymentStatus
DeploymentSpec: 1replicas:i 2selector:LabelSelector 3template:PodTemplateSpec 4strategy:DeploymentStrategy 5?minReadySeconds:i
    6revisionHistoryLimit:i 7?paused:o 9progressDeadlineSeconds:i
DeploymentStatus: 1?observedGeneration:i 2?replicas:i 3?updatedReplicas:i 4?availableReplicas:i 5?unavailableReplicas:i
    6*conditions:DeploymentCondition 7?readyReplicas:i 8collisionCount:i
DeploymentCondition: 1type 2status 4?reason 5?message 6lastUpdateTime:Time 7lastTransitionTime:Time
DeploymentStrategy: 1?type 2rollingUpdate:RollingUpdateDeployment
RollingUpdateDeployment: 1maxUnavailable:IntOrString 2maxSurge:IntOrString
ReplicaSet: 1metadata:ObjectMeta 2spec:ReplicaSetSpec 3status:ReplicaSetStatus
ReplicaSetSpec: 1replicas:i 2selector:LabelSelector 3template:PodTemplateSpec 4?minReadySeconds:i
ReplicaSetStatus: 1replicas:i 2?fullyLabeledReplicas:i 3?observedGeneration:i 4?readyReplicas:i 5?availableReplicas:i
    6*conditions:ReplicaSetCondition
ReplicaSetCondition: 1type 2status 3lastTransitionTime:Time 4?reason 5?message
Lease: 1metadata:ObjectMeta 2spec:LeaseSpec
LeaseSpec: 1holderIdentity 2leaseDurationSeconds:i 3acquireTime:MicroTime 4renewTime:MicroTime 5leaseTransitions:i 6strategy
    7preferredHolder
Eviction: 1metadata:ObjectMeta 2deleteOptions:DeleteOptions
Scale: 1metadata:ObjectMeta 2spec:ScaleSpec 3status:ScaleStatus
ScaleSpec: 1?replicas:i
ScaleStatus: 1replicas:i 2?selector
"""

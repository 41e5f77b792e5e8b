/** Services and what leads to pods. */
export const network = `
Service: A name and an address that stay, in front of pods that come and go.

ServiceSpec: What a Service leads to, and how it is reached.
  ports: The ports that it has.
  selector: Labels of the pods that it leads to. Without one somebody else writes its EndpointSlices.
  type: ClusterIP (the default): within the cluster; NodePort: at a port of every node too; LoadBalancer: at an address outside too; ExternalName: another name.
  clusterIP: Its address in the cluster. None makes it headless: its name leads to the pods themselves. Given by the server unless said.
  clusterIPs: Its addresses, one of each family.
  externalIPs: Further addresses at which nodes take packets for it. To lead these there is not the cluster's affair.
  sessionAffinity: ClientIP to lead a client to the same pod again; None is the default.
  sessionAffinityConfig: How long a client is remembered.
  loadBalancerIP: An address to ask the provider for. Deprecated.
  loadBalancerSourceRanges: From which addresses the load balancer may be used. Default: all.
  loadBalancerClass: The load balancer that is to take it. It cannot be changed.
  allocateLoadBalancerNodePorts: Whether a LoadBalancer has node ports too. Default true.
  externalName: The name that stands for it, with type ExternalName.
  externalTrafficPolicy: Cluster (the default): every node leads to any pod; Local: to its own pods only, and the client's address is kept.
  internalTrafficPolicy: The same for what comes from within the cluster.
  healthCheckNodePort: The port at which a node tells a load balancer whether it has pods, with externalTrafficPolicy Local.
  publishNotReadyAddresses: Whether pods count before they are ready. Default false.
  ipFamilies: IPv4, IPv6 or both, in the order of its addresses.
  ipFamilyPolicy: SingleStack (the default), PreferDualStack or RequireDualStack.
  trafficDistribution: PreferSameZone or PreferSameNode, to lead to pods nearby when there are any.
ServicePort: A port of a Service.
  name: Its name; needed when there are several.
  protocol: TCP (the default), UDP or SCTP.
  port: The number at which the Service has it.
  targetPort: The port of the pods, by number or name. Default: port.
  nodePort: The port at every node, with NodePort and LoadBalancer. Given by the server unless said.
  appProtocol: What is spoken there, such as http or kubernetes.io/h2c.
SessionAffinityConfig: How clients are remembered.
  clientIP: By their addresses.
ClientIPConfig: How long a client is remembered.
  timeoutSeconds: For how many seconds after its last connection. Default 10800.
ServiceStatus: How a Service is reached from outside.
  loadBalancer: What the provider gave it.
LoadBalancerStatus: What a provider gave.
  ingress: The addresses or names.
LoadBalancerIngress: An address or name from a provider.
  ip: The address.
  hostname: The name.
  ipMode: VIP: nodes take packets for it themselves; Proxy: packets come with the node's address.
  ports: The ports, and what is wrong with them.

Endpoints: The older form of EndpointSlices: the addresses behind a Service.
  subsets: Addresses that have the same ports.
EndpointSubset: Addresses that have the same ports.
  addresses: Those that are ready.
  notReadyAddresses: Those that are not.
  ports: The ports.
EndpointAddress: An address behind a Service.
  ip: The address.
  hostname: Its name under the Service's.
  nodeName: The node that it is on.
  targetRef: The pod that has it.
EndpointPort: A port behind a Service.
  name: The name of the Service's port.
  port: The number.
  protocol: TCP, UDP or SCTP.
  appProtocol: What is spoken there.

EndpointSlice: Some of the addresses behind a Service, which the label kubernetes.io/service-name names.
  addressType: IPv4, IPv6 or FQDN. It cannot be changed.
  endpoints: The addresses.
  ports: The ports that each of them has.
Endpoint < EndpointAddress: One that serves, mostly a pod.
  addresses: Its addresses; they are taken for the same.
  conditions: Whether it serves.
  targetRef: The pod.
  zone: The zone that it is in.
  hints: For whom it is best.
EndpointConditions: Whether an endpoint serves.
  ready: Whether it can be given new connections.
  serving: Whether it serves, even while it ends.
  terminating: Whether it is ending.
EndpointHints: For whom an endpoint is best.
  forZones: For which zones.
  forNodes: For which nodes.
ForZone: A zone.
ForNode: A node.

Ingress: Leads HTTP requests from outside to Services, by host and path. An ingress controller does it.
IngressSpec: Which requests are led where.
  ingressClassName: The IngressClass whose controller is to do it.
  defaultBackend: Where requests go that no rule fits.
  tls: Hosts with TLS, and their certificates.
  rules: Hosts, and where their requests go.
IngressRule: A host, and where its requests go.
  host: The host; *.example.com for all below. Empty for every host.
  http: Paths, and where they lead.
HTTPIngressRuleValue: Paths of a host.
  paths: The longest that fits decides.
HTTPIngressPath: A path, and where it leads.
  path: The path. It begins with /.
  pathType: Exact, Prefix by whole parts, or ImplementationSpecific.
  backend: Where it leads.
IngressBackend: Where requests go; one of these.
  service: A Service.
  resource: Another object.
IngressServiceBackend: A Service, and which of its ports.
  name: The Service's name, in the same namespace.
  port: The port.
ServiceBackendPort: A port of a Service, by name or number.
  number: Its number.
IngressTLS: Hosts with TLS.
  hosts: The hosts.
  secretName: The Secret with their certificate and key.
IngressClass: A kind of ingress, and who serves it.
IngressClassSpec: Who serves a kind of ingress.
  controller: The controller, such as example.com/ingress. It cannot be changed.
  parameters: An object with its settings.

NetworkPolicy: Which connections pods may have. A pod that none chooses may have all.
NetworkPolicySpec: Which pods, and which connections they may have.
  podSelector: The pods; an empty one chooses all of the namespace.
  policyTypes: Ingress, Egress or both: what is limited.
  ingress: Who may connect to them. None: nobody.
  egress: To whom they may connect. None: to nobody.
NetworkPolicyIngressRule: Who may connect, and where to.
  ports: The ports. Default: all.
  from: Who. Default: everybody.
NetworkPolicyEgressRule < NetworkPolicyIngressRule: To whom, and where to.
  to: To whom. Default: to everybody.
NetworkPolicyPort: A port.
  protocol: TCP (the default), UDP or SCTP.
  port: The port, by number or name. Default: all.
  endPort: The last one of a range that begins with port.
NetworkPolicyPeer: Pods or addresses.
  podSelector: Pods of the namespace, or of those that namespaceSelector chooses.
  namespaceSelector: Namespaces, by their labels.
  ipBlock: A range of addresses.
IPBlock: A range of addresses.
  cidr: The range, such as 192.0.2.0/24.
  except: Ranges within it that are left out.

ServiceCIDR: A range that addresses of Services are taken from.
ServiceCIDRSpec: The ranges.
  cidrs: One range, or one of each family. They cannot be changed.
IPAddress: An address of a Service that is in use. Made by the server.
IPAddressSpec: Whose address it is.
  parentRef: The Service.
DiscoveryV1EndpointPort < EndpointPort: A port behind a Service.
PortStatus: A port of a load balancer.
  port: The number.
  protocol: TCP, UDP or SCTP.
  error: What is wrong with it, in one word.
IngressStatus: How an Ingress is reached.
  loadBalancer: What its controller gave it.
IngressLoadBalancerStatus < LoadBalancerStatus: What a controller gave.
IngressLoadBalancerIngress < LoadBalancerIngress: An address or name from a controller.
IngressPortStatus < PortStatus: A port of an Ingress.
IngressClassParametersReference < TypedLocalObjectReference: An object with settings of an ingress controller.
  scope: Cluster or Namespace.
  namespace: Its namespace, for the scope Namespace.
ParentReference: Whose an address is.
  group: The group; empty for the core group.
  resource: The resource, such as services.
  namespace: The namespace.
  name: The name.
`;

/** Where everything lies on a machine: kubeadm's paths, and those of our own. */
export const layout = {
  kubernetesDir: '/etc/kubernetes',
  pkiDir: '/etc/kubernetes/pki',
  manifestsDir: '/etc/kubernetes/manifests',
  caFile: '/etc/kubernetes/pki/ca.crt',
  adminConfig: '/etc/kubernetes/admin.conf',
  kubeletConfig: '/etc/kubernetes/kubelet.conf',
  bootstrapConfig: '/etc/kubernetes/bootstrap-kubelet.conf',
  configDir: '/etc/fairlead',
  stateDir: '/var/lib/fairlead',
  serverDir: '/var/lib/fairlead/server',
  agentDir: '/var/lib/fairlead/agent',
  kubeletDir: '/var/lib/kubelet',
  /** The kubelet's own certificates. */
  certDir: '/var/lib/kubelet/pki',
  runtimeEndpoint: 'unix:///run/containerd/containerd.sock',
} as const;

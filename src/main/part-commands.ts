/** The commands that run one part alone, under upstream's flags. Each is loaded when it is wanted. */
import { type Command, switchFlag, textFlag } from '../cli/command.ts';
import { partsCommand, secureServingFlags } from './parts-command.ts';

export const partCommands: Readonly<Record<string, () => Promise<Command>>> = {
  apiserver: async () => {
    const { apiserver } = await import('./part/apiserver.ts');
    return partsCommand({
      name: 'apiserver',
      summary: 'run the API server alone; controllers and scheduler are other processes',
      examples: ['fairlead apiserver --pki-dir /etc/kubernetes/pki --advertise-address 192.0.2.10'],
      parts: [apiserver],
    });
  },
  'controller-manager': async () => {
    const [{ controllerManager }, { led }] = await Promise.all([import('./part/controller-manager.ts'), import('./part/led.ts')]);
    return partsCommand({
      name: 'controller-manager',
      summary: 'run the controllers alone, on any API server; of several processes one leads',
      examples: [
        'fairlead controller-manager --kubeconfig /etc/kubernetes/controller-manager.conf --cluster-cidr 10.244.0.0/16',
        "fairlead controller-manager --kubeconfig FILE --controllers='job-controller,cronjob-controller' --leader-elect-resource-name jobs",
      ],
      parts: [led(controllerManager, 'kube-controller-manager')],
      options: secureServingFlags('10257'),
      servesPages: true,
    });
  },
  scheduler: async () => {
    const [{ scheduler }, { led }] = await Promise.all([import('./part/scheduler.ts'), import('./part/led.ts')]);
    return partsCommand({
      name: 'scheduler',
      summary: 'run the scheduler alone, on any API server; of several processes one leads',
      examples: [
        'fairlead scheduler --kubeconfig /etc/kubernetes/scheduler.conf',
        'fairlead scheduler --config /etc/kubernetes/scheduler-config.yaml # a KubeSchedulerConfiguration',
      ],
      parts: [led(scheduler, 'kube-scheduler', 'default-scheduler')],
      options: secureServingFlags('10259'),
      prepare: async (read, { given }) => (await import('./part/scheduler-configuration.ts')).flagsOfFile(read, given),
      servesPages: true,
    });
  },
  'cloud-controller-manager': async () => {
    const [{ cloudControllerManager }, { led }] = await Promise.all([
      import('./part/cloud-controller-manager.ts'),
      import('./part/led.ts'),
    ]);
    return partsCommand({
      name: 'cloud-controller-manager',
      summary:
        'run the controllers of a cloud alone, on any API server: nodes, routes, addresses for load balancers; of several processes one leads',
      examples: [
        'fairlead cloud-controller-manager --kubeconfig FILE --address-pools 192.0.2.200-192.0.2.220',
        'fairlead cloud-controller-manager --kubeconfig FILE --cloud-config pools.yaml --load-balancer-class example.com/metal',
      ],
      parts: [led(cloudControllerManager, 'cloud-controller-manager')],
      options: secureServingFlags('10258'),
      servesPages: true,
    });
  },
  kubelet: async () => {
    const { kubelet } = await import('./part/kubelet.ts');
    return partsCommand({
      name: 'kubelet',
      summary: "run the kubelet alone; proxy, pod network and DNS are somebody else's",
      examples: ['fairlead kubelet --kubeconfig /etc/kubernetes/kubelet.conf --node-ip 192.0.2.11'],
      parts: [kubelet],
      stays: 'pods',
    });
  },
  proxy: async () => {
    const { proxy } = await import('./part/proxy.ts');
    return partsCommand({
      name: 'proxy',
      summary: 'run the service proxy alone, in place of a kube-proxy',
      examples: [
        'fairlead manifest proxy --group system:nodes | kubectl apply -f -',
        'fairlead proxy --kubeconfig /etc/kubernetes/kubelet.conf --cluster-cidr 10.244.0.0/16',
        'fairlead proxy --kubeconfig /var/lib/kube-proxy/kubeconfig.conf --config /var/lib/kube-proxy/config.conf',
        'fairlead proxy --cleanup # needs no API server',
      ],
      parts: [proxy],
      options: {
        cleanup: switchFlag('take away the rules that a proxy left behind, and end'),
        'init-only': switchFlag("set what needs root: the kernel's settings, and end; then CAP_NET_ADMIN is enough"),
        'write-config-to': textFlag('FILE', 'write the configuration that the other flags and the presets come to, and end'),
        version: { type: 'boolean', help: 'tell the version of Kubernetes and the own one, and end', hidden: true },
      },
      instead: (read) => {
        if (read.isSet('version')) return async () => (await proxyTasks()).tellVersion();
        if (read.isSet('cleanup')) return async () => (await proxyTasks()).cleanUp(read);
        const path = read.optional('write-config-to');
        if (path !== undefined) return async () => (await proxyTasks()).writeConfiguration(read, path);
        return read.isSet('init-only') ? async () => (await proxyTasks()).initialize(read) : undefined;
      },
      logAs: async (read) => (await proxyTasks()).logChoice(read),
      stays: 'rules',
    });
  },
  'net-agent': async () => {
    const { netAgent } = await import('./part/net-agent.ts');
    return partsCommand({
      name: 'net-agent',
      summary: 'run the pod network and its CNI plugin alone, in place of a flannel or beside flannel on other nodes',
      examples: [
        'fairlead manifest net-agent --group system:nodes | kubectl apply -f -',
        'fairlead net-agent --kubeconfig /etc/kubernetes/kubelet.conf --cluster-cidr 10.244.0.0/16',
      ],
      parts: [netAgent],
      stays: 'links and routes',
    });
  },
  dns: async () => {
    const { dns } = await import('./part/dns.ts');
    return partsCommand({
      name: 'dns',
      summary: "run the cluster's DNS alone; it serves behind kube-dns while that Service has no selector",
      examples: [
        'fairlead manifest dns --group system:nodes | kubectl apply -f -',
        'fairlead dns --kubeconfig /etc/kubernetes/kubelet.conf --bind-address 192.0.2.11',
      ],
      parts: [dns],
    });
  },
  speaker: async () => {
    const { speaker } = await import('./part/speaker.ts');
    return partsCommand({
      name: 'speaker',
      summary: 'announce addresses of load balancers alone, by ARP and neighbour discovery, from one node that lives',
      examples: [
        'fairlead manifest speaker --group system:nodes | kubectl apply -f -',
        'fairlead speaker --kubeconfig /etc/kubernetes/kubelet.conf --interfaces eth1',
      ],
      parts: [speaker],
    });
  },
};

function proxyTasks(): Promise<typeof import('./part/proxy-tasks.ts')> {
  return import('./part/proxy-tasks.ts');
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultLabOptions } from '../lab-options.ts';
import { planLab } from '../plan.ts';
import { agentCommand, nodeServices, serverCommand } from './services.ts';

const plan = planLab({ ...defaultLabOptions, workers: 1, without: 'worker-1/proxy,scheduler' });
const [controlPlane, worker] = plan.nodes;

test('a node runs the agent with its own name and address, and without what is left out there', () => {
  assert.equal(
    agentCommand(plan, worker!).join(' '),
    'env NODE_COMPILE_CACHE=/var/cache/fairlead /opt/fairlead/src/main/fairlead.sh agent --node-name worker-1 --node-ip 192.168.120.11 ' +
      '--kubeconfig-dir /etc/fairlead --tls-dir /etc/fairlead --runtime-endpoint unix:///run/containerd/containerd.sock ' +
      '--root-dir /var/lib/kubelet --resolv-conf /etc/fairlead/resolv.conf --cluster-dns 10.96.0.10 --cluster-domain cluster.local ' +
      '--cluster-cidr 10.244.0.0/16 --service-cidr 10.96.0.0/16 --parts *,-proxy',
  );
});

test("a node's proxy is told its mode when somebody asked for one", () => {
  const other = planLab({ ...defaultLabOptions, proxyMode: 'iptables' });
  assert.match(agentCommand(other, other.controlPlane).join(' '), / --proxy-mode iptables( |$)/);
});

test('the control plane is tainted', () => {
  const command = agentCommand(plan, controlPlane!);
  assert.deepEqual(command.slice(-2), ['--register-with-taints', 'node-role.kubernetes.io/control-plane=:NoSchedule']);
  assert.ok(!command.includes('--parts'));
});

test('words of a command reach the node as they are, through its shell', () => {
  const other = planLab({ ...defaultLabOptions, serverCommand: `echo 'it is' "$HOME" a=b` });
  const [server = ''] = nodeServices(other, other.controlPlane).split('\n');
  assert.equal(server, `server sh -c 'echo '\\''it is'\\'' "$HOME" a=b'`);
});

test('the control plane runs the server without what is left out, or a command in its place', () => {
  assert.equal(
    serverCommand(plan, controlPlane!).join(' '),
    'env NODE_COMPILE_CACHE=/var/cache/fairlead /opt/fairlead/src/main/fairlead.sh server --data-dir /var/lib/fairlead/server ' +
      '--pki-dir /etc/kubernetes/pki --advertise-address 192.168.120.10 --secure-port 6443 ' +
      '--cluster-cidr 10.244.0.0/16 --service-cluster-ip-range 10.96.0.0/16 --service-node-port-range 30000-32767 ' +
      '--cluster-dns 10.96.0.10 --address-pools 192.168.120.100-192.168.120.120 --service-account-max-token-expiration 8760h --parts *,-scheduler',
  );
  const other = planLab({ ...defaultLabOptions, serverCommand: 'exec kube-apiserver' });
  assert.deepEqual(serverCommand(other, other.controlPlane), ['sh', '-c', 'exec kube-apiserver']);
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseInvocation } from '../../cli/parse-invocation.ts';
import { isKnownError } from '../../errors/known-error.ts';
import { FlagReader } from '../flag-reader.ts';
import { partCommands } from '../part-commands.ts';
import type { PartFlags } from './part.ts';
import { checkUpstreamFlags, upstreamLog } from './upstream-flags.ts';

const commands = new Map(await Promise.all(Object.entries(partCommands).map(async ([name, load]) => [name, await load()] as const)));

/** What is said of a command line. */
function said(name: string, argv: readonly string[]): string[] {
  const command = commands.get(name)!;
  const { values } = parseInvocation(`fairlead ${name}`, command, argv, {});
  const words: string[] = [];
  checkUpstreamFlags(command.options as PartFlags, new FlagReader(values), (text) => words.push(text));
  return words;
}

/** As kubeadm 1.33 writes them into its static pods. */
const kubeadm = {
  'controller-manager': `--allocate-node-cidrs=true --authentication-kubeconfig=/etc/kubernetes/controller-manager.conf
    --authorization-kubeconfig=/etc/kubernetes/controller-manager.conf --bind-address=127.0.0.1 --client-ca-file=/etc/kubernetes/pki/ca.crt
    --cluster-cidr=10.244.0.0/16 --cluster-name=kubernetes --cluster-signing-cert-file=/etc/kubernetes/pki/ca.crt
    --cluster-signing-key-file=/etc/kubernetes/pki/ca.key --controllers=*,bootstrapsigner,tokencleaner
    --kubeconfig=/etc/kubernetes/controller-manager.conf --leader-elect=true
    --requestheader-client-ca-file=/etc/kubernetes/pki/front-proxy-ca.crt --root-ca-file=/etc/kubernetes/pki/ca.crt
    --service-account-private-key-file=/etc/kubernetes/pki/sa.key --service-cluster-ip-range=10.96.0.0/12 --use-service-account-credentials=true`,
  apiserver: `--advertise-address=192.0.2.10 --allow-privileged=true --authorization-mode=Node,RBAC --client-ca-file=/etc/kubernetes/pki/ca.crt
    --enable-admission-plugins=NodeRestriction --enable-bootstrap-token-auth=true --etcd-cafile=/etc/kubernetes/pki/etcd/ca.crt
    --etcd-certfile=/etc/kubernetes/pki/apiserver-etcd-client.crt --etcd-keyfile=/etc/kubernetes/pki/apiserver-etcd-client.key
    --etcd-servers=https://127.0.0.1:2379
    --kubelet-client-certificate=/etc/kubernetes/pki/apiserver-kubelet-client.crt --kubelet-client-key=/etc/kubernetes/pki/apiserver-kubelet-client.key
    --kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname --proxy-client-cert-file=/etc/kubernetes/pki/front-proxy-client.crt
    --proxy-client-key-file=/etc/kubernetes/pki/front-proxy-client.key --requestheader-allowed-names=front-proxy-client
    --requestheader-client-ca-file=/etc/kubernetes/pki/front-proxy-ca.crt --requestheader-extra-headers-prefix=X-Remote-Extra-
    --requestheader-group-headers=X-Remote-Group --requestheader-username-headers=X-Remote-User --secure-port=6443
    --service-account-issuer=https://kubernetes.default.svc.cluster.local --service-account-key-file=/etc/kubernetes/pki/sa.pub
    --service-account-signing-key-file=/etc/kubernetes/pki/sa.key --service-cluster-ip-range=10.96.0.0/12
    --tls-cert-file=/etc/kubernetes/pki/apiserver.crt --tls-private-key-file=/etc/kubernetes/pki/apiserver.key`,
  scheduler: `--authentication-kubeconfig=/etc/kubernetes/scheduler.conf --authorization-kubeconfig=/etc/kubernetes/scheduler.conf
    --bind-address=127.0.0.1 --kubeconfig=/etc/kubernetes/scheduler.conf --leader-elect=true`,
};

describe("upstream's flags", () => {
  test("of kubeadm's controller manager are all known, and those without an effect are named", () => {
    assert.deepEqual(
      said('controller-manager', kubeadm['controller-manager'].split(/\s+/))
        .map((text) => text.split(' ')[0])
        .toSorted(),
      ['--cluster-name', '--requestheader-client-ca-file', '--service-account-private-key-file', '--service-cluster-ip-range'],
    );
  });

  test("of kubeadm's scheduler are all honoured", () => {
    assert.deepEqual(said('scheduler', kubeadm.scheduler.split(/\s+/)), []);
  });

  test("of kubeadm's API server are all known, its etcd too", () => {
    const argv = kubeadm.apiserver.split(/\s+/);
    assert.deepEqual(
      said('apiserver', argv)
        .map((text) => text.split(/[ -]+/)[1])
        .toSorted(),
      [...['allow', 'enable', 'kubelet', 'requestheader', 'requestheader', 'requestheader', 'requestheader']],
    );
  });

  test('that would be needed are refused by name', () => {
    assert.throws(
      () => said('controller-manager', ['--cloud-provider=aws']),
      (err) => isKnownError(err, 'USAGE') && err.message === 'Cannot use --cloud-provider="aws": the cloud is another process',
    );
    assert.deepEqual(said('controller-manager', ['--cloud-provider=external']), []);
  });

  test('of the log have their effect', () => {
    const log = (values: Record<string, string>): unknown => upstreamLog(new FlagReader(values));
    assert.deepEqual([log({ v: '2' }), log({ v: '4' }), log({ 'logging-format': 'json' })], [{}, { isDebug: true }, { format: 'json' }]);
    assert.deepEqual(said('scheduler', ['--v=4', '--logging-format=text']), []);
  });
});

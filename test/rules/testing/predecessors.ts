/** What a proxy may find in the kernel when it starts: what another left and serves Service `echo` of `ProgramNode` still. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram, lacksProgram } from '../../interop/testing/programs.ts';
import { echoPort } from '../topology.ts';
import { echo, endpoints, type ProgramNode } from './program-node.ts';

interface Predecessor {
  readonly name: string;
  /** Whose kind of rules they are. */
  readonly mode: 'nftables' | 'iptables' | 'ipvs';
  readonly skip?: string | false;
  lay(node: ProgramNode): Promise<void>;
}

/** Chains of a golden file, with Service `echo` in place of its Service of a node port. */
function chainsOfKubeProxy(): string {
  const golden = readFileSync('rules/scenarios/web/iptables.rules', 'utf8');
  const [, clusterIp = ''] = /-A KUBE-SERVICES -d (\S+)\/32 .*web-nodeport:http/.exec(golden) ?? [];
  return golden.replaceAll(clusterIp, echo.ip).replace(/--to-destination \S+/g, `--to-destination ${endpoints[0]}:${echoPort}`);
}

const table135 = readFileSync(join(import.meta.dirname, 'kube-proxy.nft'), 'utf8');

/** By the hooks of earlier versions, which have the names and places of ours: the table is then changed where it stands. */
const table131 = table135
  .replaceAll(/chain filter-output \{\n(.*) priority filter;/g, 'chain filter-output-post-dnat {\n$1 priority -90;')
  .replaceAll('-pre-dnat {', ' {')
  .replaceAll('priority filter;', 'priority -110;');

/** Our own table with a hook elsewhere, which the kernel cannot change in place. */
const otherHook = `
delete chain ip kube-proxy nat-prerouting
add chain ip kube-proxy nat-prerouting { type nat hook prerouting priority -101 ; }
add rule ip kube-proxy nat-prerouting jump services
`;

async function load(node: ProgramNode, command: string, text: string): Promise<void> {
  assert.equal(await node.sh(`${command} << 'END'\n${text}END\n`), '');
}

async function layOther(node: ProgramNode): Promise<void> {
  node.program.run('--kubeconfig', node.program.kubeconfig, '--hostname-override=node1', '--proxy-mode=nftables');
  await node.untilIn('nftables');
  await node.program.stop();
  await load(node, 'nft -f -', otherHook);
}

/** What kube-proxy itself leaves when it is killed. */
async function layByKubeProxy(node: ProgramNode, mode: Predecessor['mode']): Promise<void> {
  const { program } = node;
  const json = 'application/json';
  const connection = { kubeconfig: program.kubeconfig, contentType: json, acceptContentTypes: json };
  const conntrack = { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' };
  const settings = { mode, clientConnection: connection, conntrack, clusterCIDR: '10.244.0.0/16', hostnameOverride: 'node1' };
  const head = { apiVersion: 'kubeproxy.config.k8s.io/v1alpha1', kind: 'KubeProxyConfiguration' };
  await writeFile(program.configuration, JSON.stringify({ ...head, ...settings }));
  program.runAs([findProgram('kube-proxy') ?? ''], ['--config', program.configuration]);
  await node.untilServed();
  await program.stop('SIGKILL');
}

export const predecessors: readonly Predecessor[] = [
  {
    name: 'chains as of kube-proxy',
    mode: 'iptables',
    lay: (node) => load(node, 'iptables-restore --noflush', chainsOfKubeProxy()),
  },
  { name: 'a table as of kube-proxy 1.35', mode: 'nftables', lay: (node) => load(node, 'nft -f -', table135) },
  { name: 'a table as of kube-proxy 1.31', mode: 'nftables', lay: (node) => load(node, 'nft -f -', table131) },
  { name: 'its own table of another version', mode: 'nftables', lay: layOther },
  ...(['nftables', 'iptables', 'ipvs'] as const).map((mode) => ({
    name: `a kube-proxy in mode ${mode}`,
    mode,
    skip: lacksProgram('kube-proxy'),
    lay: (node: ProgramNode) => layByKubeProxy(node, mode),
  })),
];

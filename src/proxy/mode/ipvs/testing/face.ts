/** Mode ipvs in the scenarios of `rules/`. */
import assert from 'node:assert/strict';
import { mustRun } from '../../../../linux/exec.ts';
import { printIpsets } from '../../../../linux/ipset/print.ts';
import { parseIpsets } from '../../../../linux/ipset/testing/parse.ts';
import { canonicalRule } from '../../../../linux/iptables/rule.ts';
import { parseSave } from '../../../../linux/iptables/ruleset.ts';
import { printIpvs } from '../../../../linux/ipvs/print.ts';
import { parseIpvs } from '../../../../linux/ipvs/testing/parse.ts';
import { nodeIps as hostIps } from '../../../testing/scenario.ts';
import { serviceDevice } from '../../service-address.ts';
import type { ModeFace } from '../../testing/face.ts';
import { ipvsAlgorithms } from '../ipvs-mode.ts';
import { addressLines, view } from '../view.ts';
import { execIn, ipvsModeIn, lackingForIpvs } from './kernel-mode.ts';

/** The four parts, without the line between them. */
function split(text: string): string[] {
  const parts = text.split(/^# .*\n/m).slice(1);
  return parts.map((part, i) => (i < parts.length - 1 ? part.slice(0, -1) : part));
}

/** Rules of our chains, and those that lead to them, each as the kernel means it. */
function ofOurs(text: string): string[] {
  return [...parseSave(text)].flatMap(([table, chains]) =>
    [...chains].flatMap(([chain, rules]) =>
      rules.map((rule) => `${table} ${chain} ${canonicalRule(rule)}`).filter((line) => line.includes('KUBE-')),
    ),
  );
}

export const ipvsFace: ModeFace = {
  name: 'ipvs',
  golden: 'ipvs.txt',
  algorithms: ipvsAlgorithms,
  damages: [`ip link delete ${serviceDevice}`, 'iptables -t nat -F', 'ipset flush KUBE-CLUSTER-IP'],
  // A packet of a connection whose real server is gone ends it (expire_nodest_conn).
  cuts: 'ipvsadm -C',
  looksEveryMs: 500,
  takesTurns: true,
  counts: [],
  refusesTcpBy: 'tcp reset',
  render: (plans, node) => view.render(plans, node, { hostIps }),
  lacking: lackingForIpvs,
  // The balancer remembers flows of datagrams for five minutes, also those of the scenario before.
  open: (namespace) => ipvsModeIn(namespace, { ipvs: { udpTimeoutMs: 1000 } }),
  async checkListing(namespace, golden, { family }) {
    const [addresses, servers, sets, tables = ''] = split(golden);
    const run = (file: string, ...args: string[]): Promise<string> => mustRun(execIn(namespace), file, args);
    const shown = await run('ip', '-o', 'addr', 'show', 'dev', serviceDevice);
    assert.equal(addressLines(shown.match(/(?<=inet6? )[^/ ]+/g) ?? []), addresses);
    assert.equal(printIpvs(parseIpvs(await run('ipvsadm', '-Sn'))), servers);
    assert.equal(printIpsets(parseIpsets(await run('ipset', 'save'))), sets);
    const listed = await run(`${family}tables-save`);
    assert.deepEqual(ofOurs(listed).sort(), ofOurs(tables).sort());
  },
};

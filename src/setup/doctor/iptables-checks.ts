/** Whether rules of iptables lie in both of its backends: the kernel goes by both, and each tool shows one. Pure. */
import { error, warning } from '../preflight/finding.ts';
import type { RulesByFamily } from './facts.ts';
import { type Examination, found, unseen } from './verdict.ts';

interface Count {
  readonly all: number;
  /** In the chains of a service proxy. */
  readonly services: number;
}

function count(byFamily: RulesByFamily = {}): Count {
  const rules = Object.values(byFamily)
    .join('')
    .split('\n')
    .filter((line) => line.startsWith('-A '));
  return { all: rules.length, services: rules.filter((rule) => /^-A KUBE-(SERVICES|SVC|SEP|NODEPORTS|POSTROUTING)/.test(rule)).length };
}

export const iptablesBackend: Examination = ({ firewall }) => {
  if (firewall.legacy === undefined && firewall.nft === undefined) return unseen('"iptables-save" is not installed, or may not list rules');
  const [legacy, nft] = [count(firewall.legacy), count(firewall.nft)];
  const cause = `rules of iptables are in both backends, ${legacy.all} in the legacy one and ${nft.all} in that of nf_tables`;
  const cure =
    'Choose one with update-alternatives --config iptables, then take away the rules of the other: iptables-legacy-save and iptables-nft-save show them';
  return found(
    [
      legacy.all > 0 &&
        nft.all > 0 &&
        (legacy.services > 0 && nft.services > 0
          ? error('IptablesBackends', `${cause}, those for Services too: old ones go on sending connections astray`, cure)
          : warning('IptablesBackends', cause, cure)),
    ],
    `rules in one backend at most (legacy ${legacy.all}, nf_tables ${nft.all})`,
  );
};

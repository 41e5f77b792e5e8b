/** Reads what `iptables-save` and `nft list ruleset` print, as far as a firewall in the way of one port shows in it. Pure. */

/** `--dport 8472`, `--dports 53,8000:9000`, `udp dport 8472`, `udp dport { 53, 8000-9000 }`. */
const ports = /(?:--dports? |udp dport )(\{[^}]*\}|\S+)/;

function names(rule: string, port: number): boolean {
  const [, list = ''] = ports.exec(rule) ?? [];
  return list
    .replace(/[{}]/g, '')
    .split(',')
    .some((one) => {
      const [from = Number.NaN, to = from] = one.trim().split(/[:-]/).map(Number);
      return port >= from && port <= to;
    });
}

/** A rule for one address is about a Service, and not about this machine. */
function isUdp(rule: string): boolean {
  return /-p udp\b|\budp dport\b/.test(rule) && !/! --dports?|dport != |^-A KUBE-|\bip6? daddr\b/.test(rule);
}

/** The rules that drop or reject UDP to this port. */
export function refusals(text: string, port: number): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((rule) => isUdp(rule) && names(rule, port) && /-j (DROP|REJECT)\b|\b(drop|reject)\b/.test(rule.replace(/comment "[^"]*"/, '')));
}

/** A policy, or a last rule that lets nothing through, as machines of clouds and firewalld have it. */
function endsInRefusal(text: string): boolean {
  if (/^:INPUT DROP\b/m.test(text) || /hook input [^;\n]*; policy drop;/.test(text)) return true;
  if (/^-A INPUT (-m comment --comment ("[^"]*"|\S+) )?-j (DROP|REJECT)\b/m.test(text)) return true;
  const chains = text.split(/^\s*\}\s*$/m).filter((chain) => /hook input /.test(chain));
  const last = chains.map((chain) => chain.trimEnd().split('\n').at(-1)?.trim() ?? '');
  return last.some((rule) => /^(counter (packets \d+ bytes \d+ )?)?(drop|reject)\b/.test(rule));
}

/** Whether what no rule accepts is refused on its way in, and no rule names this port. */
export function refusesByDefault(text: string, port: number): boolean {
  return endsInRefusal(text) && !text.split('\n').some((rule) => isUdp(rule) && names(rule, port));
}

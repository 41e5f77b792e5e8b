/** What the runtime finds on the node: the two executables, and the network configuration once the network is there. */
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder, putFile } from '../linux/put-file.ts';
import { answerPipes } from './answer-pipes.ts';
import { formatCniError } from './spec/cni-error.ts';

export interface InstallOptions {
  /** Where the runtime looks for plugins: `/opt/cni/bin`. */
  readonly binDir: string;
  /** Where the runtime looks for network configurations: `/etc/cni/net.d`. */
  readonly confDir: string;
  /** The Node.js binary that runs the plugin: absolute, as the runtime's environment may have no path to one. */
  readonly nodePath: string;
  /** `cni-bin/fairlead.cjs`, absolute. */
  readonly clientPath: string;
  readonly socket: string;
  readonly notesDir: string;
  /** Where the pipes are, for root only: `/run/fairlead/cni.pipes`. */
  readonly pipesDir: string;
}

/** Seconds that a caller waits for an agent that lives but does not answer. An ADD takes milliseconds; kubelet gives up after minutes. */
const deadline = `\${FAIRLEAD_CNI_TIMEOUT:-30}`;
export const networkName = 'fairlead';
export const conflistName = '10-fairlead.conflist';
export const plugins = ['fairlead', 'loopback'] as const;
const mark = '# Written by the Fairlead agent.';

/** Whether a plugin with this text is one of ours. */
export function isOwn(text: string): boolean {
  return text.includes(mark);
}

/** Under what name a plugin of others waits for ours to go: a package may have brought one. */
export function replacedName(plugin: string): string {
  return `.${plugin}.before-fairlead`;
}

/** The configuration list. containerd 1.6 knows nothing newer than 1.0.0; whoever knows `cniVersions` takes the newest of them. */
export function conflist(): string {
  const config = {
    cniVersion: '1.0.0',
    cniVersions: ['0.4.0', '1.0.0', '1.1.0'],
    name: networkName,
    plugins: [{ type: 'fairlead', capabilities: { portMappings: true } }],
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

/**
 * The executable: a shell script that passes the usual calls through pipes (pipe-server.ts) and everything else to the client
 * in Node.js, which speaks to the socket, leaves notes, and explains what is wrong. On the quick way nothing is started.
 *
 * Each pipe is opened for both directions first, which never blocks, then for the one that is needed. Reading then ends when
 * the agent does, and so does writing. An ADD that ended so may be half done: the runtime must clean up before it tries again.
 *
 * After the deadline the caller gives its pipe up by making `N.gone`; when the agent was quicker (answer-pipes.ts), the answer
 * is there. Only bash and busybox can read with a deadline; another shell goes the long way.
 */
export function wrapper(
  plugin: (typeof plugins)[number],
  o: InstallOptions,
  shell: string = existsSync('/bin/bash') ? '/bin/bash' : '/bin/sh',
): string {
  const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
  const error = (message: string, details = ''): string => quote(formatCniError({ code: 11, message, details }, '1.0.0'));
  return `#!${shell}
${mark}
PATH=\${PATH:-/usr/sbin:/usr/bin:/sbin:/bin}
LC_ALL=C
pipes=${quote(o.pipesDir)}
config=
while IFS= read -r line || [ -n "$line" ]; do config="$config$line "; done
long_way() {
  printf '%s' "$config" | ${[o.nodePath, o.clientPath, plugin, o.socket, o.notesDir].map(quote).join(' ')} "$@"
  exit $?
}
case $CNI_COMMAND in ADD | DEL | CHECK | STATUS) ;; *) long_way ;; esac
{ read -r -t 1 line </dev/null; } 2>/dev/null
[ $? -lt 2 ] || long_way
call="\u001f${plugin}\u001f$CNI_COMMAND\u001f$CNI_CONTAINERID\u001f$CNI_NETNS\u001f$CNI_IFNAME\u001f$CNI_ARGS\u001f$CNI_PATH\u001f$config"
# Longer lines would not be written in one piece; a line break would end the call.
[ \${#call} -lt 3800 ] || long_way
case $call in *"
"*) long_way ;; esac
{ read -r pipes <"$pipes/current"; } 2>/dev/null || long_way
n=$(($$ % ${answerPipes}))
tries=0
set -C
until { printf '%s\\n' "$$" >"$pipes/$n.taken"; } 2>/dev/null; do
  n=$(((n + 1) % ${answerPipes}))
  tries=$((tries + 1))
  [ "$tries" -lt ${answerPipes} ] || long_way
done
set +C
trap '' PIPE
[ -p "$pipes/$n" ] && [ -p "$pipes/calls" ] || long_way
{ command exec 3<>"$pipes/$n" 4<>"$pipes/calls" && command exec 5<"$pipes/$n" 6>"$pipes/calls" 3>&- 4>&-; } 2>/dev/null || long_way
printf '%s\\n' "$$\u001f$n$call" 2>/dev/null >&6
for wait in "${deadline}" 5; do
  # A deadline may end it within the line, whose rest is then read next; nothing that counts is in this line.
  IFS= read -r -t "$wait" line <&5
  ended=$?
  if [ "$ended" -eq 0 ]; then
    { IFS= read -r answer && IFS= read -r code; } <&5 || break
    printf '%s' "$answer"
    exit "$code"
  fi
  # What ended because of the deadline is above 128; anything else means that the agent has ended.
  [ "$ended" -gt 128 ] || break
  ln "$pipes/$n.taken" "$pipes/$n.gone" 2>/dev/null || continue
  [ "$CNI_COMMAND" = ADD ] || long_way unanswered
  printf '%s' ${error('Cannot get an answer from the agent in time', 'It runs but does not answer. Look at its log, and whether it is stopped')}
  exit 1
done
[ "$CNI_COMMAND" = ADD ] || long_way
printf '%s' ${error('Cannot say how the call ended: the agent has ended')}
exit 1
`;
}

/** Writes the executables `fairlead` and `loopback` (containerd runs the latter for every pod, from this directory only). */
export function installPlugins(o: InstallOptions): void {
  makeFolder(o.binDir, 0o755);
  for (const plugin of plugins) {
    const path = join(o.binDir, plugin);
    if (existsSync(path) && !isOwn(readFileSync(path, 'utf8'))) renameSync(path, join(o.binDir, replacedName(plugin)));
    putFile(path, wrapper(plugin, o), 0o755);
  }
}

/** Says to the runtime that pods can be attached. */
export function installConflist(o: InstallOptions): void {
  makeFolder(o.confDir, 0o755);
  putFile(join(o.confDir, conflistName), conflist(), 0o644);
}

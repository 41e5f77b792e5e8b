/** `fairlead.local/box:1`, which most examples run, and `fairlead.local/pause:1`, which holds the namespaces of each pod. */
import type { ImageSpec } from './oci-image.ts';
import { directory, file, symlink, type TarEntry } from './tar.ts';
import { type Architecture, udpEcho } from './udp-echo.ts';
import { hideWget, wgetScript } from './wget.ts';

const boxReference = 'fairlead.local/box:1';
export const pauseReference = 'fairlead.local/pause:1';

/** PID 1 ignores signals that it has no handler for. */
const endsAtOnce = 'trap "exit 0" TERM INT';

/** A shell in `wait` runs its trap at once, and reaps whatever is left to it. */
const waits = 'while :; do sleep 86400 & wait; done';

/** The command of a container that is there for others. */
export const waiting: string = `${endsAtOnce}; ${waits}`;

/** Who answers: the pod's name is its host name, the node comes in by the downward API. */
const identity = 'echo "pod=$(hostname) node=$NODE_NAME"';

/** How many connections wait in the queue: each `l` makes it longer by one. */
const listen = `-${'l'.repeat(128)}`;

/**
 * PID 1 of the box: starts the servers and waits. The kernel ends them with it. The page is a file where the root can be written (a CGI costs two
 * processes per request) and a CGI otherwise.
 */
const boxScript = `#!/bin/sh
${endsAtOnce}
(${identity} >/www/index.html) 2>/dev/null
${identity}
echo "HTTP on port \${PORT:-8080}, echo on port 7 (TCP and UDP)"
httpd -f -p "\${PORT:-8080}" -h /www &
nc ${listen} -p 7 -e cat &
/bin/udp-echo &
${waits}
`;

const indexCgi = `#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
${identity}
`;

/** \`/cgi-bin/client\` tells which address the request came from, which shows whether it was masqueraded. */
const clientCgi = `#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
echo "$REMOTE_ADDR"
`;

/** A name in `bin` for each thing that busybox can be. */
export function appletLinks(applets: readonly string[]): TarEntry[] {
  return applets.filter((name) => /^[a-z0-9[_-]+$/i.test(name) && name !== 'busybox').map((name) => symlink(`bin/${name}`, 'busybox'));
}

export function boxImage(architecture: Architecture, busybox: Uint8Array, applets: readonly string[]): ImageSpec {
  const { busybox: own, applet } = hideWget(busybox);
  return {
    reference: boxReference,
    architecture,
    command: ['/bin/box'],
    rootfs: [
      directory('bin'),
      directory('etc'),
      directory('root', 0o700),
      directory('tmp', 0o1777),
      directory('var'),
      directory('www'),
      directory('www/cgi-bin'),
      file('bin/busybox', own, 0o755),
      ...appletLinks(applets.filter((name) => name !== 'wget')),
      file('bin/box', boxScript, 0o755),
      file('bin/wget', wgetScript(applet), 0o755),
      file('bin/udp-echo', udpEcho(architecture), 0o755),
      file('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n'),
      file('etc/group', 'root:x:0:\nnogroup:x:65534:\n'),
      file('etc/nsswitch.conf', 'hosts: files dns\n'),
      file('www/cgi-bin/index.cgi', indexCgi, 0o755),
      file('www/cgi-bin/client', clientCgi, 0o755),
    ],
  };
}

/** The box with another command: the same layer, so that a node keeps it once. */
export function pauseImage(box: ImageSpec): ImageSpec {
  return { ...box, reference: pauseReference, command: ['/bin/sh', '-c', waiting] };
}

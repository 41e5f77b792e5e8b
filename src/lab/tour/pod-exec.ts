import { WebSocket } from 'ws';
import type { Status } from '../../api/schema/types.ts';
import type { ClientConfig } from '../../client/client-config.ts';
import { onAbort } from '../../clock/aborted.ts';
import { KnownError } from '../../errors/known-error.ts';

/** Channels of v5.channel.k8s.io: the first byte of every message. */
const stdout = 1;
const stderr = 2;
const result = 3;

/** Runs a command in a pod as `kubectl exec` of 1.30 and later does, over a WebSocket. Gives what it wrote. Throws when it fails. */
export function podExec(
  config: ClientConfig,
  pod: { readonly namespace: string; readonly name: string; readonly container: string },
  command: readonly string[],
  signal: AbortSignal,
): Promise<string> {
  const query = new URLSearchParams({ container: pod.container, stdout: 'true', stderr: 'true' });
  for (const word of command) query.append('command', word);
  const url = `${config.server.replace(/^http/, 'ws')}/api/v1/namespaces/${pod.namespace}/pods/${pod.name}/exec?${query}`;
  const { ca, cert, key } = config;
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, ['v5.channel.k8s.io'], { ca, cert, key, handshakeTimeout: 5000 });
    const timer = setTimeout(() => fail('it takes longer than 15 s'), 15_000);
    const said: Buffer[] = [];
    const fail = (why: string, cause?: unknown): void => {
      clearTimeout(timer);
      socket.terminate();
      reject(new KnownError('COMMAND_FAILED', `Cannot run "${command.join(' ')}" in pod "${pod.name}": ${why}`, { cause }));
    };
    onAbort(signal, () => fail('interrupted'));
    socket.on('unexpected-response', (_request, response) => fail(`the API server answers ${response.statusCode}`));
    socket.on('error', (err) => fail(err.message, err));
    socket.on('message', (data: Buffer) => {
      const body = data.subarray(1);
      if (data[0] === stdout || data[0] === stderr) said.push(body);
      else if (data[0] === result && body.length > 0) {
        const status = JSON.parse(body.toString()) as Status;
        if (status.status !== 'Success') fail(status.message ?? 'it failed');
      }
    });
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(Buffer.concat(said).toString());
    });
  });
}

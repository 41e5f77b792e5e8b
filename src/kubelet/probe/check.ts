/** One look at a container: exec, HTTP, TCP, gRPC. Used by probes and by lifecycle hooks. */
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { Client, credentials } from '@grpc/grpc-js';
import { MessageCodec } from '../../api/codec/message-codec.ts';
import type { Container, GRPCAction, HTTPGetAction, Probe, TCPSocketAction } from '../../api/schema/types.ts';
import { messageOf } from '../../errors/known-error.ts';
import { joinHostPort } from '../../ip/ip.ts';
import { http } from '../../observability/plain-http.ts';
import { type Cri, isDeadline } from '../cri/cri.ts';

export interface CheckResult {
  readonly ok: boolean;
  /** What to show when it failed. */
  readonly output: string;
}

export type CheckAction = Pick<Probe, 'exec' | 'httpGet' | 'grpc' | 'tcpSocket'>;

export interface CheckTarget {
  readonly cri: Cri;
  readonly containerId: string;
  readonly container: Container;
  readonly podIp: string;
  readonly timeoutMs: number;
}

const maxOutput = 10 * 1024;

export async function check(action: CheckAction, target: CheckTarget): Promise<CheckResult> {
  try {
    if (action.exec) return await checkExec(action.exec.command ?? [], target);
    if (action.httpGet) return await checkHttp(action.httpGet, target);
    if (action.tcpSocket) return await checkTcp(action.tcpSocket, target);
    if (action.grpc) return await checkGrpc(action.grpc, target);
    return { ok: false, output: 'the handler is of no supported kind' };
  } catch (err) {
    return { ok: false, output: messageOf(err) };
  }
}

/** A port by number or by its name in the container. */
export function portOf(port: number | string, container: Container): number {
  const byName = container.ports?.find((p) => p.name === port)?.containerPort;
  const number = byName ?? Number(port);
  if (!Number.isInteger(number) || number < 1 || number > 65_535)
    throw new Error(`couldn't find port: ${port} in container ${container.name}`);
  return number;
}

async function checkExec(command: readonly string[], { cri, containerId, timeoutMs }: CheckTarget): Promise<CheckResult> {
  const seconds = Math.ceil(timeoutMs / 1000);
  try {
    const { exitCode, stdout, stderr } = await cri.execSync(containerId, command, seconds);
    const output = Buffer.concat([stdout, stderr]).subarray(0, maxOutput).toString();
    return { ok: exitCode === 0, output };
  } catch (err) {
    if (isDeadline(err)) return { ok: false, output: `command timed out: ${command.join(' ')} timed out after ${seconds}s` };
    throw err;
  }
}

function checkHttp(action: HTTPGetAction, { container, podIp, timeoutMs }: CheckTarget): Promise<CheckResult> {
  const secure = action.scheme === 'HTTPS';
  const host = action.host || podIp;
  const port = portOf(action.port, container);
  const path = action.path ? (action.path.startsWith('/') ? action.path : `/${action.path}`) : '/';
  const headers: Record<string, string> = { 'user-agent': 'kube-probe/1.35', accept: '*/*', connection: 'close' };
  for (const { name = '', value = '' } of action.httpHeaders ?? []) headers[name.toLowerCase()] = value;
  const url = `${secure ? 'https' : 'http'}://${joinHostPort(host, port)}${path}`;
  return new Promise((resolve) => {
    const options = { host, port, path, headers, agent: false as const, signal: AbortSignal.timeout(timeoutMs) };
    // A probe asks whether the program answers, not who it is.
    const request = secure ? httpsRequest({ ...options, rejectUnauthorized: false }) : http.request(options);
    request.on('response', (response) => {
      const code = response.statusCode ?? 0;
      resolve({ ok: code >= 200 && code < 400, output: `HTTP probe failed with statuscode: ${code}` });
      response.destroy();
    });
    request.on('error', (err) => {
      const why =
        err.name === 'AbortError' || err.name === 'TimeoutError'
          ? 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
          : dialError(err, host, port);
      resolve({ ok: false, output: `Get "${url}": ${why}` });
    });
    request.end();
  });
}

function checkTcp(action: TCPSocketAction, { container, podIp, timeoutMs }: CheckTarget): Promise<CheckResult> {
  const host = action.host || podIp;
  const port = portOf(action.port, container);
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const finish = (result: CheckResult): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(result);
    };
    const timer = setTimeout(() => finish({ ok: false, output: `dial tcp ${host}:${port}: i/o timeout` }), timeoutMs);
    socket.on('connect', () => finish({ ok: true, output: '' }));
    socket.on('error', (err) => finish({ ok: false, output: dialError(err, host, port) }));
  });
}

/** People look for Go's words. */
function dialError(err: Error, host: string, port: number): string {
  const refused = 'code' in err && err.code === 'ECONNREFUSED';
  return refused ? `dial tcp ${host}:${port}: connect: connection refused` : err.message;
}

/** The gRPC health protocol, grpc.health.v1. */
const health = new MessageCodec({ HealthCheckRequest: 'service:1:string', HealthCheckResponse: 'status:1:int32' });
const serving = 1;

function checkGrpc({ port, service = '' }: GRPCAction, { podIp, timeoutMs }: CheckTarget): Promise<CheckResult> {
  // A proxy of the node's leads to no pod.
  const client = new Client(joinHostPort(podIp, port), credentials.createInsecure(), { 'grpc.enable_http_proxy': 0 });
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      '/grpc.health.v1.Health/Check',
      (asked: { readonly service: string }) => health.encode('HealthCheckRequest', asked),
      (bytes) => health.decode('HealthCheckResponse', bytes).status,
      { service },
      { deadline: Date.now() + timeoutMs },
      (err, status) => {
        client.close();
        if (err) resolve({ ok: false, output: `error: health rpc failed: ${err.message}` });
        else
          resolve({
            ok: status === serving,
            output: `service unhealthy (responded with ${JSON.stringify(statusNames[status ?? 0] ?? status)})`,
          });
      },
    );
  });
}

const statusNames = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

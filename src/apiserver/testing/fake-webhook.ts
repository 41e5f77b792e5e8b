/** An HTTPS server that answers reviews as a test says, and remembers what it was asked. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { issueCertificate } from '../../x509/authority.ts';
import { TestPki } from './test-pki.ts';
import type { Json } from './test-server.ts';

/** What is answered to a review: `response`, without its uid; or anything at all, as text with a code. */
export type Reply = object | { readonly code: number; readonly text: string } | 'silence';

export class FakeWebhook {
  readonly port: number;
  /** PEM in base64, as a configuration has it. */
  readonly caBundle: string;
  /** `/path` of each request, and the review that was in it. */
  readonly asked: { readonly path: string; readonly review: Json }[] = [];
  /** What a path answers. */
  readonly replies: Map<string, (review: Json) => Reply | Promise<Reply>> = new Map();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, ca: string) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    this.caBundle = Buffer.from(ca).toString('base64');
  }

  static async start(...dnsNames: readonly string[]): Promise<FakeWebhook> {
    const pki = await TestPki.create();
    const request = { commonName: 'webhook', dnsNames, ips: ['127.0.0.1'], usages: ['server'] as const };
    const { certPem, keyPem } = await issueCertificate(pki.authority, request, Date.now());
    const server = createServer({ cert: certPem, key: keyPem });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const webhook = new FakeWebhook(server, pki.ca);
    server.on('connection', (socket: Socket) => {
      webhook.#sockets.add(socket);
      socket.on('close', () => webhook.#sockets.delete(socket));
    });
    server.on('request', (req, res) => void webhook.#answer(req, res));
    return webhook;
  }

  client(path: string): { url: string; caBundle: string } {
    return { url: `https://127.0.0.1:${this.port}${path}`, caBundle: this.caBundle };
  }

  /** The reviews of a path; they are forgotten. */
  take(path: string): Json[] {
    const found = this.asked.filter((one) => one.path === path).map(({ review }) => review);
    this.asked.splice(0, this.asked.length, ...this.asked.filter((one) => one.path !== path));
    return found;
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    const path = (req.url ?? '').replace(/\?.*/, '');
    const review = JSON.parse(Buffer.concat(chunks).toString()) as Json;
    this.asked.push({ path, review });
    const reply = (await this.replies.get(path)?.(review)) ?? { allowed: true };
    if (reply === 'silence') return;
    if ('code' in reply && 'text' in reply) {
      res.writeHead(reply.code).end(reply.text);
      return;
    }
    const { kind, apiVersion, request } = review;
    const body = 'response' in reply ? reply : { kind, apiVersion, response: { uid: request.uid, ...reply } };
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  }

  async stop(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }
}

/** A response that patches. */
export function patching(...operations: readonly object[]): object {
  return { allowed: true, patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(operations)).toString('base64') };
}

/** The connections of one client under one set of credentials, kept alive between requests. */
import https from 'node:https';
import { createSecureContext, type SecureContext } from 'node:tls';
import { KnownError, messageOf } from '../errors/known-error.ts';
import { http } from '../observability/plain-http.ts';
import type { ClientConfig } from './client-config.ts';

/** Of TCP: ten probes, one a second, follow a silence of this length; a peer that is cut off is known after 25 s. */
const keepAliveMs = 15_000;

export class Connections {
  /** For a connection that is made for one request alone. */
  readonly tls: https.AgentOptions;
  readonly agent: https.Agent;
  /** Aborts when other credentials have taken their place: whoever holds a connection for long moves to one of those. */
  readonly retired: AbortSignal;
  readonly #retire = new AbortController();

  constructor(config: ClientConfig) {
    const isPlain = config.server.startsWith('http:');
    this.retired = this.#retire.signal;
    this.tls = {
      // Made once: reading the PEM again costs a millisecond for each connection, and the agent would compare it for each request.
      ...(isPlain ? {} : { secureContext: contextOf(config) }),
      ...(config.serverName === undefined ? {} : { servername: config.serverName }),
      ...(config.insecureSkipTlsVerify ? { rejectUnauthorized: false } : {}),
    };
    // A watch holds its connection, so there is no useful bound.
    const options = { ...this.tls, keepAlive: true, keepAliveMsecs: keepAliveMs, maxSockets: Number.POSITIVE_INFINITY };
    this.agent = isPlain ? (new http.Agent(options) as https.Agent) : new https.Agent(options);
  }

  /** What is under way goes on to its end; no connection is kept after that. */
  retire(): void {
    this.agent.maxFreeSockets = 0;
    for (const socket of Object.values(this.agent.freeSockets).flat()) socket?.destroy();
    this.#retire.abort();
  }

  /** Cuts what is under way. */
  close(): void {
    this.agent.destroy();
  }
}

function contextOf({ server, ca, cert, key }: ClientConfig): SecureContext {
  try {
    return createSecureContext({ ca, cert, key });
  } catch (err) {
    throw new KnownError('BAD_CONFIG', `Cannot use the certificates for ${server}: ${messageOf(err)}`, {
      hint: 'The kubeconfig must hold PEM, and the key must fit the certificate',
      cause: err,
    });
  }
}

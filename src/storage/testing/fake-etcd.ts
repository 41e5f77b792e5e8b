/** A member of etcd that says what a test wants, over gRPC. */
import { type handleUnaryCall, Server, ServerCredentials, type ServiceDefinition } from '@grpc/grpc-js';
import { codec, type Method, paths, type Request, type Response } from '../etcd/messages.ts';

/** What is answered to each call; throws what it is refused with: an error with `code` and `details`. */
export type Answers = { readonly [Name in Method]?: (request: Request<Name>) => object };

export class FakeEtcd implements AsyncDisposable {
  readonly #server = new Server();
  #port = 0;

  private constructor(answers: Answers) {
    const methods = Object.keys(answers) as Method[];
    const service = Object.fromEntries(methods.map((method) => [method, definitionOf(method)]));
    const calls = Object.fromEntries(methods.map((method) => [method, handlerOf(answers[method] as (request: object) => object)]));
    this.#server.addService(service as ServiceDefinition, calls);
  }

  static async start(answers: Answers): Promise<FakeEtcd> {
    const etcd = new FakeEtcd(answers);
    etcd.#port = await new Promise((resolve, reject) =>
      etcd.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (err, port) => (err ? reject(err) : resolve(port))),
    );
    return etcd;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown();
  }
}

function handlerOf(answer: (request: object) => object): handleUnaryCall<object, object> {
  return ({ request }, done) => {
    try {
      done(null, answer(request));
    } catch (err) {
      done(err as Error);
    }
  };
}

function definitionOf<Name extends Method>(method: Name): object {
  return {
    path: paths[method],
    requestStream: false,
    responseStream: false,
    requestSerialize: (value: Request<Name>) => codec.encode(`${method}Request`, value as never),
    requestDeserialize: (bytes: Buffer) => codec.decode(`${method}Request`, bytes),
    responseSerialize: (value: Response<Name>) => codec.encode(`${method}Response`, value as never),
    responseDeserialize: (bytes: Buffer) => codec.decode(`${method}Response`, bytes),
  };
}

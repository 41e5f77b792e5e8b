/**
 * The only place that knows containerd: before its version 1.7 it had no CRI events, but told of ended tasks on a service of its own, at
 * the same socket. A runtime that has neither is listed once a second, and that is all.
 */
import { type Client, Metadata } from '@grpc/grpc-js';
import { MessageCodec } from '../../api/codec/message-codec.ts';
import { serverStream } from './server-stream.ts';

const codec = new MessageCodec({
  SubscribeRequest: 'filters:1:[]string',
  Envelope: 'event:4:Any',
  Any: 'value:2:bytes',
  TaskExit: 'containerId:1:string id:2:string',
});

/** Yields when a container has ended. Throws CriError, with UNIMPLEMENTED where containerd does not serve. */
export async function* containerdExits(client: Client, signal: AbortSignal): AsyncIterable<void> {
  const metadata = new Metadata();
  metadata.set('containerd-namespace', 'k8s.io');
  const request = codec.encode('SubscribeRequest', { filters: ['topic=="/tasks/exit"'] });
  const path = '/containerd.services.events.v1.Events/Subscribe';
  for await (const envelope of serverStream(client, path, request, signal, metadata)) if (isContainerExit(envelope)) yield;
}

/** A command that was run in a container ends under an id of its own. */
export function isContainerExit(envelope: Uint8Array): boolean {
  const { event } = codec.decode('Envelope', envelope);
  if (!event) return true;
  const exit = codec.decode('TaskExit', event.value);
  return exit.containerId === exit.id;
}

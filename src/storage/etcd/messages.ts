/** The messages of etcd's API that the store speaks (etcd-io/etcd, api/etcdserverpb/rpc.proto and mvccpb/kv.proto). Keys are text. */
import { MessageCodec } from '../../api/codec/message-codec.ts';
import type { Input, MessageOf } from '../../api/codec/message-type.ts';

const messageTable = {
  CompactionRequest: 'revision:1:int64',
  CompactionResponse: 'header:1:ResponseHeader',
  /** Whether the version (target 0), modRevision (target 2) or value (target 3) of each key of the range is the one given; 0 where there is none. */
  Compare: 'result:1:int32 target:2:int32 key:3:string version:4:int64 modRevision:6:int64 value:7:bytes rangeEnd:64:string',
  DeleteRangeRequest: 'key:1:string rangeEnd:2:string prevKv:3:bool',
  DeleteRangeResponse: 'header:1:ResponseHeader deleted:2:int64 prevKvs:3:[]KeyValue',
  /** Type 0 is a put, 1 a deletion. */
  Event: 'type:1:int32 kv:2:KeyValue prevKv:3:KeyValue',
  KeyValue: 'key:1:string createRevision:2:int64 modRevision:3:int64 version:4:int64 value:5:bytes lease:6:int64',
  LeaseGrantRequest: 'ttl:1:int64 id:2:int64',
  LeaseGrantResponse: 'header:1:ResponseHeader id:2:int64 ttl:3:int64 error:4:string',
  LeaseTimeToLiveRequest: 'id:1:int64',
  LeaseTimeToLiveResponse: 'header:1:ResponseHeader id:2:int64 ttl:3:int64',
  PutRequest: 'key:1:string value:2:bytes lease:3:int64',
  PutResponse: 'header:1:ResponseHeader',
  RangeRequest: 'key:1:string rangeEnd:2:string limit:3:int64 revision:4:int64 keysOnly:8:bool countOnly:9:bool',
  RangeResponse: 'header:1:ResponseHeader kvs:2:[]KeyValue more:3:bool count:4:int64',
  RequestOp: 'requestRange:1:RangeRequest requestPut:2:PutRequest requestDeleteRange:3:DeleteRangeRequest',
  ResponseHeader: 'clusterId:1:uint64 memberId:2:uint64 revision:3:int64 raftTerm:4:uint64',
  ResponseOp: 'responseRange:1:RangeResponse responsePut:2:PutResponse responseDeleteRange:3:DeleteRangeResponse',
  SnapshotRequest: '',
  SnapshotResponse: 'header:1:ResponseHeader remainingBytes:2:uint64 blob:3:bytes',
  StatusRequest: '',
  StatusResponse: 'header:1:ResponseHeader version:2:string leader:4:uint64 errors:8:[]string',
  TxnRequest: 'compare:1:[]Compare success:2:[]RequestOp failure:3:[]RequestOp',
  TxnResponse: 'header:1:ResponseHeader succeeded:2:bool responses:3:[]ResponseOp',
  WatchCancelRequest: 'watchId:1:int64',
  WatchCreateRequest:
    'key:1:string rangeEnd:2:string startRevision:3:int64 progressNotify:4:bool prevKv:6:bool watchId:7:int64 fragment:8:bool',
  WatchRequest: 'createRequest:1:WatchCreateRequest cancelRequest:2:WatchCancelRequest',
  WatchResponse:
    'header:1:ResponseHeader watchId:2:int64 created:3:bool canceled:4:bool compactRevision:5:int64 cancelReason:6:string fragment:7:bool events:11:[]Event',
} as const;

export type MessageName = keyof typeof messageTable;
export type Message<Name extends MessageName> = MessageOf<typeof messageTable, Name>;

/** A call with one answer. */
export type Method = 'Range' | 'Txn' | 'Compaction' | 'LeaseGrant' | 'LeaseTimeToLive' | 'Status';
export type Request<Name extends Method> = Input<Message<`${Name}Request`>>;
export type Response<Name extends Method> = Message<`${Name}Response`>;

export const codec: MessageCodec<typeof messageTable> = new MessageCodec(messageTable);

export const paths: Readonly<Record<Method | 'Watch' | 'Snapshot', string>> = {
  Range: '/etcdserverpb.KV/Range',
  Txn: '/etcdserverpb.KV/Txn',
  Compaction: '/etcdserverpb.KV/Compact',
  LeaseGrant: '/etcdserverpb.Lease/LeaseGrant',
  LeaseTimeToLive: '/etcdserverpb.Lease/LeaseTimeToLive',
  Status: '/etcdserverpb.Maintenance/Status',
  Snapshot: '/etcdserverpb.Maintenance/Snapshot',
  Watch: '/etcdserverpb.Watch/Watch',
};

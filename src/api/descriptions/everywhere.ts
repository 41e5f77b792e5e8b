/** What every object has, and fields that mean the same wherever they occur. */
export const everywhere = `
*: Of any type.
  apiVersion: The group and version in which the object is written, such as apps/v1; of the core group the version alone.
  kind: What kind of object this is, in CamelCase.
  metadata: What every object has, such as its name, its labels and who owns it.
  name: Its name.
  spec: What is wanted. Whoever acts on the object makes the world so.
  status: What is, as it was last seen by whoever acts on the object. Written by the system.
  items: The objects, in the order of their names.
  conditions: What was last found out about the object, one entry per question.
  observedGeneration: The metadata.generation that this speaks of; when it is behind, the newest spec has not been looked at.
  lastTransitionTime: When the answer last changed from one value to another.
  lastProbeTime: When this was last checked.
  lastUpdateTime: When this was last written.
  optional: Whether it may be missing. By default it must be there before a container starts.
  readOnly: Whether it may only be read. Default false.
  fsType: The type of the file system on the volume, such as ext4.
  selector: Labels of the objects that are meant. All given terms must fit.
  matchLabels: Labels that must be there with exactly these values.
  matchExpressions: Requirements that must all be met.
  operator: How the key and the values are compared.

ObjectMeta: What every stored object has, whatever its kind.
  name: The object's name, unique among those of its kind in its namespace. It cannot be changed.
  generateName: A prefix to make a unique name from, when no name is given.
  namespace: The namespace that the object is in; empty for kinds that are in none. It cannot be changed.
  selfLink: Not used any more.
  uid: Tells the object from all others, also from earlier ones of the same name. Given by the server.
  resourceVersion: Changes with every write. A write that names an older one is refused as a conflict; a watch can start from one.
  generation: Counts the changes of what is wanted, not those of the status. Given by the server.
  creationTimestamp: When the object was made. Given by the server.
  deletionTimestamp: When the object is to be gone. It is set when somebody deletes it and it cannot go at once.
  deletionGracePeriodSeconds: How many seconds the object has to end in order, once it is deleted.
  labels: Short keys and values by which objects are found and grouped.
  annotations: Keys and values for programs and people, which nothing is found by.
  ownerReferences: Objects that this one belongs to. When all of them are gone, it is removed too.
  finalizers: Names of those who have something to do before the object may go. While there are any, a deletion waits.
  managedFields: Who last set which field, for server-side apply. Written by the server.

OwnerReference: An object that another one belongs to, in the same namespace or in none.
  uid: Its uid: a new object of the same name is another owner.
  controller: Whether it is the one that manages the object; there is at most one.
  blockOwnerDeletion: Whether a deletion in the foreground waits for this object before the owner goes.

ListMeta: What a list has beside its items.
  continue: Where the next part of the list begins; empty at the end. Given back as the parameter of that name.
  remainingItemCount: How many items are still to come, when that is known.
  resourceVersion: The state of the cluster that the list shows; a watch from here misses nothing.
  selfLink: Not used any more.

LabelSelector: Chooses objects by their labels. An empty one chooses all, a missing one none.

LabelSelectorRequirement: A key, a comparison and the values to compare with.
  key: The label's key.
  operator: In, NotIn, Exists or DoesNotExist.
  values: What In and NotIn compare with; empty for the others.

LocalObjectReference: Another object of the same namespace, by its name.

ObjectReference: Some other object, or a part of it.
  kind: Its kind.
  namespace: Its namespace.
  uid: Its uid.
  resourceVersion: The version of it that is meant.
  fieldPath: The part of it that is meant, such as spec.containers{web}.

Condition: One question about an object, and its answer.
  type: The question, in CamelCase.
  status: The answer: True, False or Unknown.
  reason: Why, in one CamelCase word for programs.
  message: Why, in words for people.

Event: Something that happened to an object. Events are kept for an hour.
  involvedObject: The object that it happened to.
  reason: What happened, in one CamelCase word for programs.
  message: What happened, in words for people.
  source: Who saw it.
  firstTimestamp: When it was first seen.
  lastTimestamp: When it was last seen.
  count: How many times it was seen.
  type: Normal or Warning.
  eventTime: When it was first seen, to the microsecond.
  series: How often it came again, when it goes on.
  action: What was being done.
  related: Another object that has to do with it.
  reportingComponent: The program that tells of it.
  reportingInstance: Which one of these programs, such as a node's name.

EventSource: Who saw an event.
  component: The program.
  host: The node it runs on.

ConfigMap: Settings that are no secret, as keys and values, for pods to read as environment or files.
  data: Values that are text. A key is a name that a file could have.
  binaryData: Values of any bytes, in base64. A key is in data or here, not in both.
  immutable: Whether the values can never be changed again, only deleted with the object. Default false.

Secret < ConfigMap: Values that not everybody may read, such as passwords, keys and certificates. They are in base64, which hides nothing by itself.
  data: The values, in base64.
  stringData: The values as plain text, for writing only: the server puts them into data.
  type: What it holds, such as kubernetes.io/tls; Opaque unless said. It cannot be changed.

Namespace: A space of names. Most objects are in one, and rights and quotas are given for one.
  spec: How the namespace ends.

NamespaceSpec: How a namespace ends.
  finalizers: Who has something to do before the namespace may go; kubernetes empties it.

NamespaceStatus: How a namespace is.
  phase: Active, or Terminating while it is being emptied.

Lease: A claim to something that one holds at a time, kept alive by renewing it. Nodes say so that they live, leaders that they lead.

LeaseSpec: Who holds a Lease, since when and for how long.
  holderIdentity: Who holds it; empty for nobody.
  leaseDurationSeconds: How long others wait after the last renewal before they take it.
  acquireTime: Since when the present holder has it.
  renewTime: When it was last renewed.
  leaseTransitions: How often it went from one holder to another.
  strategy: How a new holder is chosen, with coordinated leader election.
  preferredHolder: Who should have it next, with coordinated leader election.

EventSeries: How often an event came again.
  count: How often.
  lastObservedTime: When it last came.

EventsV1Event < Event: Something that happened to an object. Events are kept for an hour.
  reportingController: The program that tells of it.
  regarding: The object that it happened to.
  note: What happened, in words for people.
  deprecatedSource: Who saw it, as older programs say it.
  deprecatedFirstTimestamp: When it was first seen, as older programs say it.
  deprecatedLastTimestamp: When it was last seen, as older programs say it.
  deprecatedCount: How often it was seen, as older programs say it.
EventsV1EventSeries < EventSeries: How often an event came again.

ManagedFieldsEntry: What one program has set in an object.
  manager: The program.
  operation: Apply or Update.
  time: When it last changed something.
  fieldsType: How the fields are written: FieldsV1.
  fieldsV1: The fields.
  subresource: The subresource through which it wrote.

SelfSubjectReview: Asks who one is.
SelfSubjectReviewStatus: Who one is.
  userInfo: The user.
UserInfo: A user.
  username: The name.
  uid: The uid.
  groups: The groups.
  extra: What else is known.
TokenReview: Asks whose a token is.
TokenReviewSpec: A token.
  token: The token.
  audiences: For whom it should be good. Default: the API server.
TokenReviewStatus: Whose a token is.
  authenticated: Whether it is good.
  user: Whose it is.
  audiences: For whom of those that were asked it is good.
  error: Why it could not be checked.
SubjectAccessReview: Asks whether somebody may do something.
SubjectAccessReviewSpec < UserInfo: Who, and what.
  user: The name.
  resourceAttributes: What is to be done to a resource.
  nonResourceAttributes: What is to be done to a path. One or the other.
SelfSubjectAccessReview: Asks whether one may do something oneself.
SelfSubjectAccessReviewSpec < SubjectAccessReviewSpec: What is to be done.
LocalSubjectAccessReview: Asks whether somebody may do something in a namespace.
SubjectAccessReviewStatus: Whether it may be done.
  allowed: Whether it may.
  denied: Whether it may not whatever others say.
  reason: Why.
  evaluationError: What went wrong in finding out.
ResourceAttributes: What is to be done to a resource.
  namespace: Where; empty for everywhere, or for what is in no namespace.
  verb: What, such as get or create.
  group: The resource's group.
  version: The resource's version.
  resource: The resource, such as pods.
  subresource: The subresource, such as log.
  name: The object; empty for all.
NonResourceAttributes: What is to be done to a path.
  path: The path.
  verb: What, such as get.
SelfSubjectRulesReview: Asks for all that one may do in a namespace.
SelfSubjectRulesReviewSpec: Where.
  namespace: The namespace.
SubjectRulesReviewStatus < SubjectAccessReviewStatus: All that one may do.
  resourceRules: What may be done to resources.
  nonResourceRules: What may be done to paths.
  incomplete: Whether there may be more.
`;

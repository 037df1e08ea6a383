/**
 * Conditions of a mapping and the one table of reasons. A reason is what conditions, Events, metric labels and
 * `SluiceError.reason` share; the documentation is generated from this table and a test compares it with the code.
 */
import { integer, list, object, oneOf, string, time, type Schema, type TypeOf } from './schema.ts';

/** The closed list of condition types. `onlyWhileTrue` ones are removed instead of being set False. */
export const conditionTypes = {
  Ready: {
    onlyWhileTrue: false,
    description:
      "The desired configuration is in force: AWS's mapping is in the wanted state, or a live member runs this generation with its source open. It says nothing about the consumer's health.",
  },
  Reconciling: {
    onlyWhileTrue: true,
    description: 'Sluice is working towards the desired configuration. Present only while True.',
  },
  Stalled: {
    onlyWhileTrue: true,
    description:
      'No retry helps until somebody changes the mapping, its class or AWS. Present only while True.',
  },
  SourceHealthy: {
    onlyWhileTrue: false,
    description: 'Reads from the event source succeed. Unknown where AWS does not say.',
  },
  TargetHealthy: {
    onlyWhileTrue: false,
    description: 'Invocations of the target succeed. Unknown where AWS does not say.',
  },
  Drifted: {
    onlyWhileTrue: false,
    description: 'The AWS mapping differs from the desired configuration; the message names the fields.',
  },
  Blocked: {
    onlyWhileTrue: false,
    description: 'A shard or message group is held by a failing record; the message names it.',
  },
  Paused: {
    onlyWhileTrue: true,
    description: 'The annotation sluice.dev/paused is set. Present only while True.',
  },
  HandingOver: {
    onlyWhileTrue: true,
    description: 'The mapping is moving to another mode. Present only while True.',
  },
} as const;

export type ConditionType = keyof typeof conditionTypes;
export type ConditionStatus = 'True' | 'False' | 'Unknown';

export const conditionSchema = object(
  'One condition, shaped as metav1.Condition.',
  {
    type: oneOf('What the condition is about.', Object.keys(conditionTypes) as ConditionType[]),
    status: oneOf('Whether the condition holds.', ['True', 'False', 'Unknown']),
    observedGeneration: integer('Generation of the spec that the condition is about.', {
      minimum: -1,
      format: 'int64',
    }),
    lastTransitionTime: time('When the status of the condition last changed.'),
    reason: string('Why, in one word of the documented table.', {
      minLength: 1,
      maxLength: 256,
      pattern: '^[A-Za-z]([A-Za-z0-9_]*[A-Za-z0-9])?$',
    }),
    message: string('Why, for a person: the field, the value found and what to do.', { maxLength: 32768 }),
  },
  { required: ['type', 'status', 'observedGeneration', 'lastTransitionTime', 'reason', 'message'] },
);

/** A condition of a mapping. */
export type Condition = TypeOf<typeof conditionSchema>;

/** The list of conditions, keyed by type. */
export const conditionsSchema: Schema<readonly Condition[]> = list(
  'What is known of the mapping. See docs/reference/conditions.md for every reason.',
  conditionSchema,
  { maxItems: 16, keys: ['type'] },
);

/** What a reason means and what to do about it. */
export interface ReasonDoc {
  readonly description: string;
  readonly fix: string;
}

const nothing = 'Nothing; this is normal.';
const wait = 'Nothing; it is tried again. The message says what AWS or Kubernetes answered.';

/** Every reason. Keys are CamelCase and never renamed: alerts are written against them. */
export const reasons = {
  // Ready
  Serving: { description: 'The desired configuration is in force.', fix: nothing },
  Disabled: {
    description: '`enabled` is false and nothing is read.',
    fix: 'Set `enabled: true` to deliver again.',
  },
  Deleting: { description: 'The mapping is being deleted; AWS or a member still holds it.', fix: nothing },
  DeletionHeld: {
    description: 'Many mappings are deleted at once, so the deletion waits to be confirmed.',
    fix: 'If it is meant, set the annotation `sluice.dev/confirm-deletion: "true"` on each of them.',
  },
  Progressing: { description: 'A change is under way.', fix: nothing },
  ProgressingWithRetry: {
    description: 'A step did not succeed and is tried again with back-off.',
    fix: wait,
  },
  Unknown: { description: 'Not known yet, or AWS does not say.', fix: nothing },
  Draining: {
    description: 'A member finishes what is in flight before it lets the mapping go.',
    fix: nothing,
  },
  NoMember: {
    description: 'No live poller serves the pool of the mapping.',
    fix: 'Start or scale up the poller Deployment of the pool that the message names, or choose another class.',
  },
  MemberFailed: {
    description: 'The member that runs the mapping reported an error it cannot explain.',
    fix: 'Read the log of the member that the message names.',
  },

  // Stalled
  InvalidSpec: {
    description: 'The spec breaks a rule that the CRD cannot express.',
    fix: 'Change the field that the message names; `sluice validate -f FILE` finds it beforehand.',
  },
  NotSupported: {
    description: 'The spec asks for something that this release does not do.',
    fix: 'Remove the field that the message names, or use a release that has it.',
  },
  ClassNotFound: {
    description: 'The MappingClass does not exist, or no class is marked default.',
    fix: 'Create the class, or set `className`.',
  },
  ClassNotPermitted: {
    description: 'The MappingClass does not admit the namespace, mode, source, target or destination.',
    fix: "Ask the cluster's admin to widen the class, or change what the message names.",
  },
  QuotaExceeded: {
    description: 'The namespace has used up a quota of its class.',
    fix: 'Delete mappings that are not needed, or ask for a larger quota.',
  },
  IncompleteARN: {
    description: 'A partial ARN cannot be completed.',
    fix: 'Write the full ARN, or set `aws.region` and `aws.accountID` in the mapping or in its class.',
  },
  WrongRegion: {
    description: 'Source, function and mapping are not in one Region, or the Region does not exist.',
    fix: 'Correct the ARN, or set `aws.region`.',
  },
  UrlNotPermitted: {
    description: 'The URL, or the address that it resolves to, is not allowed.',
    fix: 'Use a Service, or a URL that the class allows; metadata and link-local addresses are never allowed.',
  },
  ServiceNotFound: {
    description: 'The Service does not exist in the namespace of the mapping.',
    fix: 'Create the Service, or correct `poller.target.http.service`.',
  },
  ServiceNotPermitted: {
    description: 'The Service is an ExternalName, has no selector, or may not be read by the pollers.',
    fix: 'Use a Service with a selector; the chart lets pollers read Services and EndpointSlices.',
  },
  SecretNotFound: {
    description: 'A Secret or one of its keys does not exist in the namespace of the mapping.',
    fix: 'Create the Secret, or correct the reference that the message names.',
  },
  SecretNotPermitted: {
    description: 'A Secret may not be read by the pollers, or does not exist and they may not know.',
    fix: 'Name it in `poller.secretAccess` of the chart, which gives the pollers a Role for this one Secret; the mapping starts by itself.',
  },
  SecretInvalid: {
    description: 'A Secret exists, but what it holds cannot be used.',
    fix: 'Put a PEM certificate or a plain value where the message says.',
  },
  FunctionNotFound: {
    description: 'The Lambda function, version or alias does not exist.',
    fix: 'Create it, or correct `functionName`.',
  },
  Conflict: {
    description: 'AWS already has a mapping of this source and function, and no tags say whose it is.',
    fix: 'Take it over with `adoptionPolicy: IfExists` or the annotation that the message names, or delete it.',
  },
  AmbiguousMapping: {
    description: 'AWS has several mappings of this source and function.',
    fix: 'Name one of those in the message by the annotation `sluice.dev/adopt-uuid`.',
  },
  MappingNotFound: {
    description: 'The AWS mapping that is to be looked at or taken over does not exist.',
    fix: 'Correct source, function or the annotation; in policy Observe Sluice creates none.',
  },
  ForeignOwner: {
    description: 'The AWS mapping belongs to another owner, by its tags.',
    fix: 'Delete the other object first; Sluice never changes what another owner holds.',
  },
  CreateOnlyFieldChanged: {
    description: 'AWS cannot change the field on a live mapping.',
    fix: 'Undo the change, or set `replacementPolicy: Recreate`.',
  },

  // Source
  ReadSucceeded: { description: 'The last read from the source succeeded.', fix: nothing },
  QueueNotFound: {
    description: 'The queue does not exist.',
    fix: 'Create the queue, or correct `eventSourceARN`; reading starts by itself.',
  },
  SourceNotFound: {
    description: 'The stream, cluster, broker, topic or database does not exist.',
    fix: 'Create it, or correct the field that the message names.',
  },
  SourceAccessDenied: {
    description: 'The identity may not read the source.',
    fix: 'Grant the actions that the message names; `docs/reference/iam.md` lists them.',
  },
  SourceUnreachable: {
    description: 'The source does not answer.',
    fix: 'Check network, DNS and endpoint; it is tried again.',
  },
  SourceThrottled: {
    description: 'The source throttles reads.',
    fix: 'Nothing for a short while; otherwise lower the number of readers or raise the quota.',
  },
  SourceFailed: { description: 'The source answered with an error that is tried again.', fix: wait },
  SourceRejected: {
    description: 'The source refuses a request as invalid; the message is its own.',
    fix: 'Change what the message names.',
  },
  ReceiptHandleInvalid: {
    description: 'A receipt handle is stale: the message became visible again, or was deleted elsewhere.',
    fix: "Nothing if it is rare; otherwise raise the queue's visibility timeout.",
  },
  OverLimit: {
    description:
      'Too many messages of the queue are in flight; SQS gives out no more until some are settled.',
    fix: 'Lower the number of consumers or the batch size, or make the target faster.',
  },
  RequestTooLarge: {
    description: 'A request was larger than the service takes.',
    fix: 'Lower `batchSize`.',
  },
  KmsAccessDenied: {
    description: 'The KMS key of the source or function is denied, disabled or gone.',
    fix: 'Grant `kms:Decrypt` on the key to the identity, or restore the key.',
  },
  KmsThrottled: { description: 'KMS throttles the decryption of records.', fix: wait },
  VisibilityTimeoutTooShort: {
    description: "The queue's visibility timeout is shorter than the target may take.",
    fix: "Raise the queue's visibility timeout to at least six times the target's timeout.",
  },
  FilterDeletesOnSharedQueue: {
    description: 'A filter deletes messages of a queue that something else reads as well.',
    fix: 'Set `poller.unmatched: Release`, or give each consumer its own queue.',
  },
  QueueHasLambdaMapping: {
    description: 'AWS Lambda also reads the queue through a live mapping; the two compete for messages.',
    fix: 'Disable one of the two mappings.',
  },

  FiltersNotReadable: {
    description: 'AWS cannot show the filters, since they are encrypted with a key that Sluice may not use.',
    fix: 'Grant `kms:Decrypt` on the key to the identity of the mapping. Edits reach AWS all the same.',
  },
  EsmConfigNotValid: {
    description: 'AWS says ESM_CONFIG_NOT_VALID: the configuration of the mapping does not fit its source.',
    fix: 'Check topic, queue, virtual host and `sourceAccessConfigurations`.',
  },
  EventSourceAuthnError: {
    description: 'AWS cannot sign in to the source (EVENT_SOURCE_AUTHN_ERROR, or its words).',
    fix: 'Correct the secret or certificate that `sourceAccessConfigurations` names.',
  },
  EventSourceAuthzError: {
    description: 'AWS may not read the source (EVENT_SOURCE_AUTHZ_ERROR, or its words).',
    fix: "Give the function's execution role, or the user of the broker, what reading needs: `docs/reference/iam.md`.",
  },
  ProcessingProblem: {
    description: 'AWS tells of a problem in words that Sluice does not know; they are in the message.',
    fix: 'Do what the message says.',
  },

  // Target
  FunctionConfigNotValid: {
    description: 'AWS says FUNCTION_CONFIG_NOT_VALID: the function cannot be invoked as it is configured.',
    fix: "Check the function's state, timeout, network and execution role.",
  },
  ExecutionRoleAccessDenied: {
    description: "The function's execution role may not be assumed, or may not do what the message names.",
    fix: 'Grant it; `docs/reference/iam.md` lists what each source needs.',
  },
  TargetSucceeded: { description: 'The last invocation succeeded.', fix: nothing },
  TargetThrottled: {
    description: 'The target answers that it is too busy; messages are held and not spent.',
    fix: "Raise the target's capacity, or lower `scalingConfig.maximumConcurrency`.",
  },
  TargetUnreachable: {
    description: 'The target cannot be reached: connection, DNS or TLS.',
    fix: 'Check that the target runs and that the network allows the connection.',
  },
  TargetRefused: {
    description: 'The target refuses the request (401, 403, 404, 405, 407) or may not be invoked.',
    fix: 'Correct path, credentials or permission.',
  },
  NoReadyEndpoint: {
    description: 'The Service has no ready endpoint.',
    fix: 'Start the workload behind the Service.',
  },
  FunctionError: {
    description: 'The target ran and failed; the messages return as the source says.',
    fix: "Read the consumer's log.",
  },
  Timeout: {
    description: 'The target did not answer in time; this counts as a function error.',
    fix: 'Make the consumer faster, or raise the timeout.',
  },
  PayloadTooLarge: {
    description: 'One record makes an event that the target cannot take.',
    fix: 'Let the producer send less, or send a reference.',
  },
  ResponseInvalid: {
    description: 'The target answered something that is not a valid response; the batch counts as failed.',
    fix: 'Answer with the documented response body.',
  },

  PayloadRejected: {
    description: 'The target cannot read the event; this counts as a function error.',
    fix: 'Let the producer send valid Unicode text.',
  },
  ConnectionLost: {
    description:
      'The connection was lost after the request had been sent, so the target may have run; this counts as a function error.',
    fix: 'Check what closes connections between the poller and the target.',
  },

  // AWS control plane
  AwsAccessDenied: {
    description: 'AWS denies an action to the identity of the mapping.',
    fix: 'Grant the action that the message names.',
  },
  AwsThrottled: { description: 'AWS throttles the control plane; tried again with back-off.', fix: wait },
  AwsUnreachable: { description: 'AWS does not answer.', fix: wait },
  AwsFailed: { description: 'AWS answered with an error of its own.', fix: wait },
  AwsRejected: {
    description: 'AWS refuses the configuration; the message is its own.',
    fix: 'Change what the message names.',
  },
  AwsCredentialsMissing: {
    description: 'There are no AWS credentials for the identity of the mapping.',
    fix: "Give the ServiceAccount an IAM role, or correct the class's identity.",
  },
  AwsCredentialsExpired: {
    description: 'The AWS credentials have expired; new ones are fetched.',
    fix: 'Nothing if it passes; otherwise renew what the credentials come from.',
  },
  AwsCredentialsInvalid: {
    description: 'AWS does not know the credentials, or their signature is wrong.',
    fix: 'Correct the credentials; check that no proxy changes requests.',
  },
  ClockSkew: {
    description: 'The clock of the machine is wrong, so AWS refuses its signatures.',
    fix: 'Set the clock by a time server.',
  },
  AssumeRoleFailed: {
    description: 'The role of the class, mapping or ServiceAccount cannot be assumed.',
    fix: "Correct the role's trust policy, or the role that the class or the ServiceAccount names.",
  },
  ServiceAccountNotFound: {
    description: 'The ServiceAccount as which AWS is to be called does not exist, or names no role.',
    fix: 'Create it with the annotation `eks.amazonaws.com/role-arn`, or correct `aws.serviceAccountName`.',
  },
  ServiceAccountNotPermitted: {
    description: "Sluice may not use the namespace's ServiceAccount.",
    fix: 'Let the admin list it in `serviceAccountAccess` of the controller and of the pool.',
  },

  // Other conditions and Events
  InSync: { description: 'The AWS mapping equals the desired configuration.', fix: nothing },
  DifferenceFound: {
    description: 'The AWS mapping differs; the message names the fields.',
    fix: 'Nothing in policy Full, it is repaired. In Observe: change AWS or the spec.',
  },
  PausedReconcile: {
    description: '`sluice.dev/paused: reconcile`: nothing is changed, records still flow.',
    fix: 'Remove the annotation.',
  },
  PausedDelivery: {
    description: '`sluice.dev/paused: delivery`: no record is taken.',
    fix: 'Remove the annotation.',
  },
  PauseValueUnknown: {
    description:
      '`sluice.dev/paused` is neither `reconcile` nor `delivery`; it is taken as `delivery`, since a typing slip must not let go.',
    fix: 'Set the annotation to `reconcile` or `delivery`, or remove it.',
  },
  HandoverInProgress: {
    description: 'The old mode is being stopped before the new one starts.',
    fix: nothing,
  },
  Created: { description: 'The AWS mapping was created.', fix: nothing },
  Adopted: { description: 'A mapping that AWS had already was taken over.', fix: nothing },
  Replacing: {
    description: 'The AWS mapping is deleted and made anew, as `replacementPolicy: Recreate` allows.',
    fix: 'Nothing; the message says what happens to records meanwhile.',
  },
  Updated: { description: 'The AWS mapping was updated.', fix: nothing },
  Deleted: { description: 'The AWS mapping is gone.', fix: nothing },
  Retained: {
    description: 'The AWS mapping was left in place, as `deletionPolicy` says.',
    fix: 'Delete it in AWS when it is no longer needed.',
  },
  ForceFinalized: {
    description: 'The finalizer was removed on request; the AWS mapping may still exist.',
    fix: 'Look for the mapping in AWS.',
  },
} as const satisfies Readonly<Record<string, ReasonDoc>>;

/** A reason of the table. */
export type Reason = keyof typeof reasons;

/** True for a reason of the table. */
export function isReason(text: string): text is Reason {
  return Object.hasOwn(reasons, text);
}

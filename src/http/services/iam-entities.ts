import * as attachments from '../../iam/attachments.ts';
import * as boundaries from '../../iam/boundaries.ts';
import { type BoundedKind, type HolderKind, POLICY, type TaggedKind } from '../../iam/entities.ts';
import type { Iam } from '../../iam/iam.ts';
import * as inline from '../../iam/inline-policies.ts';
import { type InputOf, type Members, required, type StringShape } from '../../iam/input.ts';
import { listPolicyTags } from '../../iam/managed-policies.ts';
import { LIST_TAGS, listEntityTags, TAG, tagEntity, UNTAG, untagEntity } from '../../iam/tags.ts';
import { type Operations, type Output, operation } from '../operation.ts';
import { askedBoundary, type Context, need, presentBoundary, requestTags, tagKeys } from './iam-needs.ts';

/* Operations that several kinds of entities have alike. Each is one action on the entity's ARN, of the same name. */

export function tagOperations(iam: Iam, kind: TaggedKind): Operations {
  const on = namedBy(iam, kind, kind.shape);
  const { title } = kind;
  return {
    ...on(
      `Tag${title}`,
      TAG,
      (name, input) => tagEntity(iam, kind, name, input),
      (_, input) => requestTags(input.Tags),
    ),
    ...on(
      `Untag${title}`,
      UNTAG,
      (name, input) => untagEntity(iam, kind, name, input),
      (_, input) => tagKeys(input.TagKeys),
    ),
    ...on(`List${title}Tags`, LIST_TAGS, (name, input) =>
      kind === POLICY ? listPolicyTags(iam, name, input) : listEntityTags(iam, kind, name, input),
    ),
  };
}

export function inlinePolicyOperations(iam: Iam, kind: HolderKind): Operations {
  const on = namedBy(iam, kind, kind.shape);
  const { title } = kind;
  const boundary = (name: string) => presentBoundary(iam, kind, name);
  return {
    ...on(
      `Put${title}Policy`,
      inline.PUT_INLINE_POLICY,
      (name, input) => inline.putInlinePolicy(iam, kind, name, input),
      boundary,
    ),
    ...on(`Get${title}Policy`, inline.GET_INLINE_POLICY, (name, input) =>
      inline.getInlinePolicy(iam, kind, name, input),
    ),
    ...on(`List${title}Policies`, inline.LIST_INLINE_POLICIES, (name, input) =>
      inline.listInlinePolicies(iam, kind, name, input),
    ),
    ...on(
      `Delete${title}Policy`,
      inline.DELETE_INLINE_POLICY,
      (name, input) => inline.deleteInlinePolicy(iam, kind, name, input),
      boundary,
    ),
  };
}

export function attachmentOperations(iam: Iam, kind: HolderKind): Operations {
  const on = namedBy(iam, kind, kind.attachShape);
  const { title } = kind;
  const context = (name: string, { PolicyArn }: { PolicyArn: string }) => ({
    'iam:policyarn': [PolicyArn],
    ...presentBoundary(iam, kind, name),
  });
  return {
    ...on(
      `Attach${title}Policy`,
      attachments.ATTACH_POLICY,
      (name, input) => attachments.attachPolicy(iam, kind, name, input),
      context,
    ),
    ...on(
      `Detach${title}Policy`,
      attachments.DETACH_POLICY,
      (name, input) => attachments.detachPolicy(iam, kind, name, input),
      context,
    ),
    ...on(`ListAttached${title}Policies`, attachments.LIST_ATTACHED_POLICIES, (name, input) =>
      attachments.listAttachedPolicies(iam, kind, name, input),
    ),
  };
}

export function boundaryOperations(iam: Iam, kind: BoundedKind): Operations {
  const on = namedBy(iam, kind, kind.attachShape);
  const { title } = kind;
  return {
    ...on(
      `Put${title}PermissionsBoundary`,
      boundaries.PUT_PERMISSIONS_BOUNDARY,
      (name, input) => boundaries.putPermissionsBoundary(iam, kind, name, input),
      (_, input) => askedBoundary(input.PermissionsBoundary),
    ),
    ...on(
      `Delete${title}PermissionsBoundary`,
      {},
      (name) => boundaries.deletePermissionsBoundary(iam, kind, name),
      (name) => presentBoundary(iam, kind, name),
    ),
  };
}

/** Makes operations whose parameters are the entity's name, of the given shape, and `members`. */
function namedBy(iam: Iam, kind: HolderKind | TaggedKind, shape: StringShape) {
  return <const M extends Members>(
    action: string,
    members: M,
    run: (name: string, input: InputOf<M>) => Promise<Output>,
    context: (name: string, input: InputOf<M>) => Context = () => ({}),
  ): Operations => {
    const nameIn = (input: object) => (input as Readonly<Record<string, string>>)[kind.parameter]!;
    const made = operation<M>(
      { [kind.parameter]: required(shape), ...members },
      (input) => [need(action, kind.arnOf(iam, nameIn(input)), context(nameIn(input), input))],
      (input) => run(nameIn(input), input),
    );
    return { [action]: made };
  };
}

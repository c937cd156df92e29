import { type BoundedKind, changeEntity, policyOwner } from './entities.ts';
import { type Iam, noSuchEntity, type Reader } from './iam.ts';
import { type InputOf, required } from './input.ts';
import { lookUpPolicy } from './managed-policies.ts';
import { arn } from './shapes.ts';

/* The same two operations for users and roles, whose name is a parameter beside these. */

export const PUT_PERMISSIONS_BOUNDARY = { PermissionsBoundary: required(arn) } as const;

/** Throws Refused `no-such-entity` or `invalid-input`. */
export async function putPermissionsBoundary(
  iam: Iam,
  kind: BoundedKind,
  name: string,
  input: InputOf<typeof PUT_PERMISSIONS_BOUNDARY>,
) {
  await changeEntity(iam, kind, name, (_, draft) => ({ boundary: checkedBoundary(draft, input.PermissionsBoundary) }));
}

/** Without a boundary nothing happens. Throws Refused `no-such-entity`. */
export async function deletePermissionsBoundary(iam: Iam, kind: BoundedKind, name: string) {
  await changeEntity(iam, kind, name, () => ({ boundary: null }));
}

/**
 * What stands in a record for a PermissionsBoundary that was asked for. Throws Refused `no-such-entity` where there is no
 * such policy, `invalid-input` where it is no ARN of one.
 */
export function checkedBoundary(reader: Reader, asked: string | undefined): string | null {
  if (asked === undefined) return null;
  policyOwner(asked);
  if (!lookUpPolicy(reader, asked)) throw noSuchEntity(`Scope ARN: ${asked} does not exist or is not attachable.`);
  return asked;
}

/** The member of a description; none where there is no boundary. The service says `Policy`, its model another name. */
export function boundaryMember({ boundary }: { readonly boundary: string | null }) {
  if (boundary === null) return {};
  return { PermissionsBoundary: { PermissionsBoundaryType: 'Policy', PermissionsBoundaryArn: boundary } };
}

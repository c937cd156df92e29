import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { ApiCall, Audit } from '../audit/events.ts';
import { isQuotaKind } from '../audit/floods.ts';
import type { Log } from '../audit/log.ts';
import { recordedAnswer, recordedParameters } from '../audit/recorded.ts';
import type { Authority, Identity, KeyRing } from '../iam/identity.ts';
import { checkInput } from '../iam/input.ts';
import type { KeyUses } from '../iam/key-uses.ts';
import { denialText } from '../iam/policy/denial.ts';
import { type RequestContext, requestContext } from '../iam/request-facts.ts';
import { isLoopback, sourceOf } from '../iam/source-address.ts';
import { type RefusalKind, Refused } from '../refused.ts';
import { parseRequestClaim, type RequestClaim } from '../sigv4/request.ts';
import { checkCredentials } from '../sts/credential-limits.ts';
import { authenticate } from './authenticate.ts';
import { faultOf, internalFault } from './errors.ts';
import type { HeldBodies } from './held-bodies.ts';
import type { HttpAnswer, HttpRequest, Need, Output, Protocol, Service, UnsignedOperation } from './operation.ts';
import { queryProtocol } from './protocols/query.ts';
import { REST_JSON } from './protocols/rest-json.ts';
import { readRequest } from './read.ts';
import { askUnsigned, UNSIGNED_PROTOCOL } from './unsigned.ts';

export interface DispatchDeps {
  keys: KeyRing;
  authority: Authority;
  keyUses: KeyUses;
  /** By the name that a credential scope has for them. */
  services: {
    readonly iam: Service;
    readonly sts: Service;
    /** By region: each sees its own clusters only. */
    readonly dsql: ReadonlyMap<string, Service>;
  };
  /** The only operation that is called without a signature. */
  assumeRoleWithWebIdentity: UnsignedOperation;
  /** Of what is not signed, and so names no region itself. */
  region: string;
  log: Log;
  audit: Audit;
  now(): Date;
  /** Holds up who fails too often to prove who is asking. */
  failures: Failures;
  bodies: HeldBodies;
  /** Told of every call that was answered; `operation` only where the service has it. */
  answered?: (call: AnsweredCall) => void;
  /** A UUID. */
  newRequestId(): string;
}

/** A throttle on calls whose proof is wrong, by source address, and by access key from one address. */
export interface Failures {
  /** Throws Refused `failed-logins-exceeded`. */
  check(address: string, accessKeyId?: string): void;
  /** Counts the refusal if it is such a failure. */
  note(address: string, accessKeyId: string | undefined, kind: RefusalKind): void;
}

export interface Dispatched extends HttpAnswer {
  requestId: string;
}

/** What is known of a call so far: a line of the log, whatever became of it. Never a body, a secret or a token. */
interface Call {
  requestId: string;
  source: string | undefined;
  method: string | undefined;
  service?: string;
  operation?: string;
  accessKeyId?: string;
  caller?: string;
}

export interface AnsweredCall extends Call {
  status: number;
  ms: number;
  refused?: RefusalKind;
  /** What a caller whose signature is right says of a trace that the call is a part of. */
  traceparent?: string;
}

/** Where AWS has IAM's control plane. */
const IAM_REGION = 'us-east-1';

export type Dispatch = (incoming: IncomingMessage) => Promise<Dispatched>;

/** One call from its bytes to its answer. Rejects only when the client has gone away. */
export function createDispatch(deps: DispatchDeps): Dispatch {
  return async (incoming) => {
    const started = deps.now().getTime();
    const requestId = deps.newRequestId();
    const source = addressOf(incoming);
    const call: Call = { requestId, source, method: incoming.method };
    const address = source ?? '';
    const room = deps.bodies.open(isLoopback(address) ? undefined : sourceOf(address));
    let protocol = protocolOf(incoming.url ?? '');
    const audited: Partial<ApiCall> = {};
    /** The call as the audit log has it. */
    const apiCall = (status: number, outcome: Partial<ApiCall>) =>
      ({
        event: 'api.call',
        ...unknownCall(deps, incoming),
        requestId,
        ...audited,
        ...outcome,
        status,
        durationMs: deps.now().getTime() - started,
      }) as const;
    const done = (status: number, refused?: RefusalKind) => {
      const ended = { ...call, status, ms: deps.now().getTime() - started };
      const { traceparent } = incoming.headers;
      deps.answered?.({
        ...ended,
        ...(refused && { refused }),
        // Whoever can make the server trace is one who was let in.
        ...(call.caller !== undefined && typeof traceparent === 'string' && { traceparent }),
      });
      return ended;
    };
    const answered = async (name: string, output: Output): Promise<Dispatched> => {
      const answer = protocol.answer(name, output, requestId);
      const response = recordedAnswer(name, output ?? undefined);
      // It has been done: where it cannot be audited, the client does not get what came of it.
      await deps.audit.require(apiCall(answer.status, { response }), { happened: true });
      deps.log.info(done(answer.status), 'api call');
      return { ...answer, requestId };
    };

    try {
      // Who has failed too often is not even read.
      deps.failures.check(address);
      const request = await readRequest(incoming, room);
      const claim = parseRequestClaim(request);
      if (!claim) {
        const asked = askUnsigned(request, deps.assumeRoleWithWebIdentity);
        if (!asked) throw new Refused('missing-authentication', { detail: 'the request is not signed' });
        protocol = UNSIGNED_PROTOCOL;
        call.service = 'sts';
        call.operation = asked.name;
        Object.assign(audited, { service: 'sts', operation: asked.name, parameters: recordedParameters(asked.input) });
        const input = checkInput(deps.assumeRoleWithWebIdentity.input, asked.input);
        const context = contextOf(deps, incoming, request, deps.region);
        await deps.audit.assertWritable();
        const output = await deps.assumeRoleWithWebIdentity.runUnsigned(input, context);
        return await answered(asked.name, output);
      }
      call.accessKeyId = claim.accessKeyId.slice(0, 128);
      audited.accessKeyId = call.accessKeyId;
      deps.failures.check(address, call.accessKeyId);
      const service = serviceOf(deps, claim);
      if (service) protocol = service.protocol;

      const caller = authenticate(deps.keys, claim, deps.now());
      call.caller = caller.arn;
      audited.identity = caller;
      if (!service) throw wrongScope(deps, claim);
      call.service = claim.service;
      // IAM is global and lives in one region, whichever the request was signed for.
      const region = claim.service === 'iam' ? IAM_REGION : claim.region;
      Object.assign(audited, { service: claim.service, region });
      deps.keyUses.note(claim.accessKeyId, { at: deps.now(), service: claim.service, region: claim.region });

      const asked = service.ask(request);
      call.operation = asked.name;
      Object.assign(audited, { operation: asked.name, parameters: recordedParameters(asked.input) });
      checkCredentials(caller, claim.service, asked.name);
      const input = checkInput(asked.operation.input, asked.input);
      const context = contextOf(deps, incoming, request, region);
      const needs = asked.operation.needs(input, caller);
      audited.resources = [...new Set(needs.map(({ resource }) => resource))].filter((arn) => arn !== '*');
      authorise(deps.authority, caller, needs, context);
      await deps.audit.assertWritable();
      return await answered(asked.name, await asked.operation.run(input, caller, context));
    } catch (error) {
      const fault = faultOf(error, protocol.kind);
      if (fault) {
        const { kind, detail } = error as Refused;
        deps.failures.note(address, call.accessKeyId, kind);
        const { code, message } = fault;
        deps.audit.record(apiCall(fault.status, { error: { code, message }, refusal: { kind, reason: detail } }));
        // A flood of them is counted, and told as a number.
        const level = isQuotaKind(kind) ? 'debug' : 'info';
        deps.log[level]({ ...done(fault.status, kind), code: fault.code, kind, detail }, 'api call refused');
        return { ...protocol.fault(fault, requestId), requestId };
      }
      if (incoming.errored || !incoming.complete) throw error;
      const error500 = { code: 'InternalFailure', message: 'internal error: the server’s log has it' };
      deps.audit.record(apiCall(500, { error: error500 }));
      deps.log.error({ ...done(500), err: error }, 'api call failed: this is a bug');
      return { ...protocol.fault(internalFault(protocol.kind, requestId), requestId), requestId };
    } finally {
      room.release();
    }
  };
}

/** What is known of a call that nobody has read yet. */
function unknownCall({ region }: DispatchDeps, incoming: IncomingMessage): ApiCall {
  return {
    requestId: '',
    sourceAddress: addressOf(incoming),
    userAgent: incoming.headers['user-agent'],
    region,
    service: undefined,
    operation: undefined,
    accessKeyId: undefined,
    identity: undefined,
    parameters: undefined,
    response: undefined,
    resources: [],
    error: undefined,
    refusal: undefined,
    status: 0,
    durationMs: 0,
  };
}

/** As the audit log and every limit have it: an IPv4 address as such, also where the listener is for both kinds. */
function addressOf({ socket }: IncomingMessage): string | undefined {
  return socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/i, '');
}

/** The scope names the service. DSQL has one for each region of this server; IAM is global, STS answers everywhere. */
function serviceOf(deps: DispatchDeps, { service, region }: RequestClaim): Service | undefined {
  if (service === 'iam' || service === 'sts') return deps.services[service];
  return service === 'dsql' ? deps.services.dsql.get(region) : undefined;
}

function wrongScope(deps: DispatchDeps, { service, region }: RequestClaim): Refused<'scope-mismatch'> {
  const say =
    service === 'dsql'
      ? `Credential should be scoped to a valid region. Clusters of this server are in ${[...deps.services.dsql.keys()].join(', ')}.`
      : "Credential should be scoped to correct service: 'iam', 'sts' or 'dsql'.";
  return new Refused('scope-mismatch', { say, detail: `the credential scope names ${service} in ${region}` });
}

/** What is known of every request: TLS, if there is any, ends in this process. */
function contextOf(deps: DispatchDeps, { socket }: IncomingMessage, request: HttpRequest, region: string) {
  const header = (wanted: string) => request.headers.find(([name]) => name.toLowerCase() === wanted)?.[1];
  return requestContext({
    sourceAddress: socket.remoteAddress,
    encrypted: socket instanceof TLSSocket,
    now: deps.now(),
    region,
    userAgent: header('user-agent'),
    referer: header('referer'),
  });
}

/** Throws Refused `action-denied` unless all is allowed. */
function authorise(authority: Authority, caller: Identity, needs: readonly Need[], context: RequestContext): void {
  for (const need of needs) {
    const { action, resource } = need;
    const decision = authority.decide(caller, { action, resource, context: { ...context, ...need.context } });
    if (decision.allowed) continue;
    throw new Refused('action-denied', {
      say: denialText(caller.arn, need, decision),
      detail: decision.because,
    });
  }
}

/** How to answer a request of which no more is known than its target. */
function protocolOf(target: string): Protocol {
  return /^\/(?:clusters?|stream|tags)(?:[/?]|$)/.test(target) ? REST_JSON : queryProtocol();
}

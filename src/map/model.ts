/** The map of a fleet as data: who may begin connections with whom. Plain JSON; lists are in a stable order. */
import type { Family } from '../netfilter/model.js';
import type { Place } from '../problem.js';

export interface FleetMap {
  readonly version: 1;
  readonly nodes: readonly MapNode[];
  readonly edges: readonly MapEdge[];
  /** Hosts whose rules are not in it, with a sentence that says why. */
  readonly missing: readonly { readonly host: string; readonly why: string }[];
}

export type NodeKind =
  /** Every address that can be a peer. */
  | 'anywhere'
  /** A network that the policy names. */
  | 'network'
  /** The hosts that have the same roles. */
  | 'role'
  /** A host without a role. */
  | 'host'
  /** Addresses without a name. */
  | 'addresses';

export interface MapNode {
  /** The kind and what makes the node the same node in another map. */
  readonly id: string;
  readonly kind: NodeKind;
  readonly name: string;
  /** Hosts of the policy: the members of a role, the host itself. */
  readonly hosts?: readonly string[];
  /** CIDR, IPv4 first; of a network and of addresses. */
  readonly networks?: readonly string[];
  /** Names of the roles and hosts all of whose addresses lie in the network. */
  readonly holds?: readonly string[];
}

export interface MapEdge {
  /** Ids of nodes. */
  readonly from: string;
  readonly to: string;
  /** A name of the policy (`postgres`), or what is on the wire (`tcp/9100`, `everything`). */
  readonly service: string;
  readonly families: readonly Family[];
  /** Those of the role whose rules say so, when not all of it do. */
  readonly hosts?: readonly string[];
  /** Only some addresses of the other side. */
  readonly part?: true;
  /** It also hangs on an interface, a rate or a match that is not modelled. */
  readonly conditional?: true;
  /** The rules of the other end refuse it, so nothing gets through. */
  readonly blocked?: true;
  /** The lines of the policy that let it through. */
  readonly rules: readonly Place[];
  /** Against the map that it was compared with. */
  readonly change?: 'added' | 'removed' | 'changed';
}

import { NodeConnectionTypes } from 'n8n-workflow';
import type {
  IExecuteFunctions,
  ILoadOptionsFunctions,
  INodeCredentialDescription,
  INodeExecutionData,
  INodeListSearchResult,
  INodeType,
  INodeTypeDescription,
} from 'n8n-workflow';
import { executeItems } from './executeItems';
import { toNodeError } from './errors';
import type { Search } from './field';
import type { ApprovalDesk } from './guards';
import { fieldsOf, propertiesOf } from './properties';
import type { Operation } from './operation';
import type { Resource } from './resource';
import type { Task } from '../../lib/task';

export interface NodeDeclaration<Context extends object> {
  /** Name in workflows: `host`. API once released; the class is called `Host`. */
  readonly name: string;
  readonly displayName: string;
  readonly description: string;
  readonly icon: { readonly light: `file:${string}.svg`; readonly dark: `file:${string}.svg` };
  readonly credentials?: readonly INodeCredentialDescription[];
  readonly resources: readonly Resource<Context>[];
  /** Default: the display name. */
  readonly defaultName?: string;
  /** Default: operation and resource. */
  readonly subtitle?: string;
  /** Default 1. */
  readonly version?: number;
  readonly documentationUrl?: string;
  /** Methods of n8n beside the list searches, which come from the fields. */
  readonly methods?: Omit<NonNullable<INodeType['methods']>, 'listSearch'>;
  /** What `run` gets beside its input, once per item. `readOnly: true` in it refuses everything that is not a read. */
  readonly context: (asked: ContextQuestion) => (Context & ReadOnlySwitch) | Promise<Context & ReadOnlySwitch>;
  /** Without it an AI agent is refused every operation that is marked `needsApproval`, see guards.ts. */
  readonly approvals?: ApprovalDesk;
}

export interface ContextQuestion {
  readonly execute: IExecuteFunctions;
  readonly itemIndex: number;
  /** The fields of the operation, already read: `input['host']`. */
  readonly input: Readonly<Record<string, unknown>>;
  readonly operation: Pick<Operation<never>, 'resource' | 'name' | 'effect'>;
  readonly task: Task;
}

interface ReadOnlySwitch {
  readonly readOnly?: boolean;
}

/** What n8n loads, with the declaration still on it, for docs, schemas and tests. */
export interface ActionNodeClass {
  new (): INodeType & Required<Pick<INodeType, 'execute'>>;
  readonly declaration: NodeDeclaration<never>;
}

/** `export const Host = actionNode({ … })`: a node is the list of its operations and what they work with. */
export function actionNode<Context extends object>(declaration: NodeDeclaration<Context>): ActionNodeClass {
  const methods = { ...declaration.methods, listSearch: listSearchOf(declaration) };

  class ActionNode implements INodeType {
    static readonly declaration = declaration as unknown as NodeDeclaration<never>;

    // Built for every instance: n8n writes into it while loading.
    description: INodeTypeDescription = descriptionOf(declaration);

    methods = methods;

    async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
      return [await executeItems(this, declaration)];
    }
  }

  // n8n finds the class by the name of its file, and tells other processes about it by the name of the class.
  Object.defineProperty(ActionNode, 'name', { value: classNameOf(declaration.name) });
  return ActionNode;
}

export function classNameOf(nodeName: string): string {
  return nodeName.charAt(0).toUpperCase() + nodeName.slice(1);
}

function descriptionOf<Context extends object>(declaration: NodeDeclaration<Context>): INodeTypeDescription {
  const { name, displayName, description, icon, credentials, documentationUrl } = declaration;
  return {
    displayName,
    name,
    icon: { ...icon },
    group: ['transform'],
    version: declaration.version ?? 1,
    subtitle: declaration.subtitle ?? '={{ $parameter["operation"] + ": " + $parameter["resource"] }}',
    description,
    ...(documentationUrl !== undefined && { documentationUrl }),
    defaults: { name: declaration.defaultName ?? displayName },
    usableAsTool: true,
    inputs: [NodeConnectionTypes.Main],
    outputs: [NodeConnectionTypes.Main],
    ...(credentials !== undefined && { credentials: structuredClone([...credentials]) }),
    properties: structuredClone(propertiesOf(declaration.resources as readonly Resource<never>[])),
  };
}

type ListSearch = (this: ILoadOptionsFunctions, filter?: string, page?: string) => Promise<INodeListSearchResult>;

function listSearchOf<Context extends object>({ resources }: NodeDeclaration<Context>): Record<string, ListSearch> {
  const searches = new Map<string, Search>();
  for (const { operations } of resources) {
    for (const operation of operations) {
      for (const search of Object.values(fieldsOf(operation)).flatMap((field) => field.searches ?? [])) {
        const known = searches.get(search.name);
        if (known !== undefined && known !== search) throw new Error(`Two list searches are called ${search.name}`);
        searches.set(search.name, search);
      }
    }
  }
  return Object.fromEntries([...searches].map(([name, search]) => [name, listSearch(search)]));
}

function listSearch({ find }: Search): ListSearch {
  return async function (filter, page) {
    try {
      const { results, next } = await find(this, filter ?? '', page);
      return {
        results: results.map((result) => ({ ...result })),
        ...(next !== undefined && { paginationToken: next }),
      };
    } catch (error) {
      throw toNodeError(this.getNode(), error);
    }
  };
}

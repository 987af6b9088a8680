import type { JsonObject } from '../../lib/json';
import { jsonOf, type StandIn, startStandIn } from './http';

/** A language model that does as it is told: it calls the one tool it has, and then says what the tool has answered. */
export interface ModelStandIn extends StandIn {
  /** The arguments of the tool's next calls. */
  say: JsonObject;
  /** What the tools have answered, in order. */
  readonly answers: readonly string[];
}

interface Asked {
  readonly messages?: readonly { readonly role: string; readonly content: unknown }[];
  readonly tools?: readonly { readonly function: { readonly name: string } }[];
}

export async function startModel(): Promise<ModelStandIn> {
  const answers: string[] = [];
  const standIn = await startStandIn({
    basePath: '/v1',
    routes: [
      {
        method: 'POST',
        template: '/chat/completions',
        handle: (request) => {
          const { messages = [], tools = [] } = (jsonOf(request) ?? {}) as Asked;
          const last = messages.at(-1);
          if (last?.role === 'tool') {
            answers.push(typeof last.content === 'string' ? last.content : JSON.stringify(last.content));
            return { status: 200, json: completion({ role: 'assistant', content: 'Done.' }, 'stop') };
          }
          const name = tools[0]?.function.name ?? 'none';
          const call = {
            id: `call-${answers.length}`,
            type: 'function',
            function: { name, arguments: JSON.stringify(model.say) },
          };
          return {
            status: 200,
            json: completion({ role: 'assistant', content: null, tool_calls: [call] }, 'tool_calls'),
          };
        },
      },
    ],
  });
  const model: ModelStandIn = { ...standIn, say: {}, answers };
  return model;
}

function completion(message: JsonObject, reason: string): JsonObject {
  return {
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 0,
    model: 'stand-in',
    choices: [{ index: 0, message, finish_reason: reason }],
    usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
  };
}

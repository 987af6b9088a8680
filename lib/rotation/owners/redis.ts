import { createHash } from 'node:crypto';
import { Failure } from '../../failure';
import type { SealedText } from '../../secrets/sealed';
import type { Task } from '../../task';
import type { TakingOwner } from '../owner';
import { describeReach, openReach, type Reach } from '../reach';
import { Refusal, type RedisConnection, type Reply, speakRedis } from './resp';

export interface RedisUser {
  readonly reach: Reach;
  /** `default` is whom clients without a name log in as. */
  readonly user: string;
  /** Who may change it. Without one the user changes itself, which takes the right to ACL. */
  readonly admin?: { readonly user: string; readonly password: SealedText };
}

const MEMORY_ONLY =
  'This Redis has neither an ACL file nor a configuration file, so it keeps the new password until it is restarted: what starts it must give it the new one.';

/** The password of a user of Redis 6 and later. */
export function redisUser({ reach, user, admin }: RedisUser): TakingOwner {
  const server = `Redis at ${describeReach(reach)}`;
  const name = `user ${user} of ${server}`;

  const withRedis = async <Result>(work: (redis: RedisConnection) => Promise<Result>, task: Task) => {
    const redis = speakRedis(server, await openReach(reach, task), task);
    try {
      return await work(redis);
    } finally {
      redis.close();
    }
  };
  const logIn = async (redis: RedisConnection, who: string, password: SealedText) => {
    const reply = await redis.ask('AUTH', who, password.reveal());
    if (reply === 'OK') return true;
    if (reply instanceof Refusal && reply.message.startsWith('WRONGPASS')) return false;
    throw refusedBy(server, 'a login', reply);
  };
  const accepts = (value: SealedText, task: Task) => withRedis((redis) => logIn(redis, user, value), task);
  const enter = async (redis: RedisConnection, passwords: readonly SealedText[]) => {
    const who = admin?.user ?? user;
    for (const password of admin === undefined ? passwords : [admin.password]) {
      if (await logIn(redis, who, password)) return;
    }
    throw new Failure({
      code: 'rotation_login_refused',
      subject: server,
      message: `${server} refused the login of ${who}`,
      nextStep: 'Check the user and password of the admin.',
    });
  };
  const must = async (redis: RedisConnection, what: string, ...words: readonly string[]) => {
    const reply = await redis.ask(...words);
    if (reply instanceof Refusal) throw refusedBy(server, what, reply);
    return reply;
  };

  return {
    kind: 'takes',
    name,
    accepts,
    check: async (_, task) => {
      if (admin === undefined) return;
      await withRedis(async (redis) => {
        await enter(redis, []);
        if ((await must(redis, 'to tell of the user', 'ACL', 'GETUSER', user)) !== null) return;
        throw new Failure({
          code: 'rotation_refused',
          subject: name,
          message: `There is no user ${user} in ${server}`,
          nextStep: 'Check its name; ACL LIST shows all.',
        });
      }, task);
    },
    set: (to, from, task) =>
      withRedis(async (redis) => {
        // After a crash it may have the new password already.
        await enter(redis, [from, to]);
        const file = await must(redis, 'to tell where its users are kept', 'CONFIG', 'GET', 'aclfile');
        const aclFile = Array.isArray(file) && typeof file[1] === 'string' ? file[1] : '';
        // By its hash: the password is in no log of slow commands and no MONITOR.
        const hash = createHash('sha256').update(to.reveal()).digest('hex');
        if (user === 'default' && aclFile === '') {
          await must(redis, 'the change', 'CONFIG', 'SET', 'requirepass', to.reveal());
        } else {
          await must(redis, 'the change', 'ACL', 'SETUSER', user, 'resetpass', `#${hash}`);
        }
        if (aclFile !== '') {
          await must(redis, 'to save its users', 'ACL', 'SAVE');
          return [];
        }
        const kept = await redis.ask('CONFIG', 'REWRITE');
        if (!(kept instanceof Refusal)) return [];
        if (/without a config file/i.test(kept.message)) return [MEMORY_ONLY];
        throw refusedBy(server, 'to save its configuration', kept);
      }, task),
  };
}

function refusedBy(server: string, what: string, reply: Reply): Failure {
  const words = reply instanceof Refusal ? reply.message.slice(0, 200) : 'an answer that is not understood';
  return new Failure({
    code: 'redis_refused',
    subject: server,
    message: `${server} refused ${what}: ${words}`,
    nextStep: 'Give the admin the right to AUTH, ACL and CONFIG, or use another one.',
  });
}

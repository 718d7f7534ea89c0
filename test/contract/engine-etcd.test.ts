import { readFile } from 'node:fs/promises'
import { after, before, describe } from 'node:test'
import { openEtcdEngine } from '../../metadata/engine/etcd/open.ts'
import { etcdMissing, EtcdServers } from '../servers/etcd.ts'
import { engineContract } from './engine.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'

const skip = await etcdMissing()

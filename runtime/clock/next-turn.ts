import { setImmediate } from 'node:timers/promises'
import type { NextTurn } from '../ports/next-turn.ts'

export const nextTurn: NextTurn = () => setImmediate()

package engine

func (e *Engine) recover() error { return nil }

// Package dockerfile reads a Dockerfile, with buildkit's parser, and compiles it
// to a plan: the stages that are needed and, for each, the steps that make its
// root file system and the configuration that its image gets. A plan is a value:
// what is in it depends on the text, the options and the configurations of the
// base images, and on nothing else.
//
// It is not for building: it reads no context, knows no cache, and runs nothing.
//
// Source: https://docs.docker.com/reference/dockerfile/
package dockerfile
